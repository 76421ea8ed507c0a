"""From an unknown server to addresses, names and units, and what is wrong where nothing comes."""
