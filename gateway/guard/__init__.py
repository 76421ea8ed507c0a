"""The guard of setpoints: a process of its own that checks, asks people, writes and reads back."""
