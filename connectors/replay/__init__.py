"""A recording as a source: a CSV file, plain or gzipped, at any speed."""
