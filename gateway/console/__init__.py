"""The pages an operator sees: line overview, asset, alarms, tags, and who may do what there."""
