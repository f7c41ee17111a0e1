"""What an installation takes: arithmetic over measured costs, and nothing else (docs/capacity.md)."""
