"""The Faust apps: intake (doors to lead log) and score (lead log to outcomes)."""
