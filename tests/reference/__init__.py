"""The reference oracle: a slow, obvious reading of the scoring invariants. See README.md beside this file."""
