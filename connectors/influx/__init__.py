"""InfluxDB, and what speaks its line protocol: a central store of summaries, scores and events."""
