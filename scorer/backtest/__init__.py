"""Backtest: rule files over recorded events, compared with each other and with who converted."""
