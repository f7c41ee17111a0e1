"""Dashboards as code: what `make dashboards` writes to deploy/grafana/dashboards."""
