"""What ``wheeltapper train`` reads, how it shares the work, and what it shows."""
