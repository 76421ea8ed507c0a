"""What stands behind ``wheeltapper evaluate``: recordings in, pages and pictures out."""
