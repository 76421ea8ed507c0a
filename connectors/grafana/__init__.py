"""Grafana over its HTTP API: what files cannot do."""
