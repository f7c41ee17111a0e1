"""Insights: what marketing and operations ask of the outcomes, counted in one SQLite file."""
