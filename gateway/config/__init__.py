"""From a TOML file to a plan that can be trusted, or to all of its mistakes at once."""
