"""Grafana boards as code: what each shows, written to JSON that is the same at every run."""
