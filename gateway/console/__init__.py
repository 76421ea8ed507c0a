"""The pages an operator sees: line overview, asset, alarms, tags; loopback only."""
