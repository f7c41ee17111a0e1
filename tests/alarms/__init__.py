"""Whether the right alert fires in a real Prometheus when Scorer is struck, and no other: `make alarms`."""
