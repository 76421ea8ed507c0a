"""Doors to the world, one folder a protocol; `contract` says what each must offer."""
