"""Scorer: real-time lead scoring on Kafka. README.md has the two commands, docs/ the rest."""

__version__ = "0.1.0"
