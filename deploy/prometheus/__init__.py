"""Prometheus' rules, made from Python: ``python -m deploy.prometheus.make``."""
