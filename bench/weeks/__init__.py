"""Four simulated weeks of a line, judged as a maintenance engineer would: `docs/weeks.md`."""
