"""Which model of an asset is in force, and the one that is tried or kept beside it."""
