"""The scoring engine: pure functions of a lead's state and one record of the lead log.

No I/O, no clock, no logging, no randomness. The worker, replay, rule tests and explain all drive
the same code, so what one of them says holds for the others.
"""
