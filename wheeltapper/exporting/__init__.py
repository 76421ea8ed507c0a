"""What ``wheeltapper export`` writes, and where it takes it from."""
