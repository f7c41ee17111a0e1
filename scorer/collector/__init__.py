"""HTTP in: what publishers send becomes activities in the lead log."""
