"""The ways of a federation's files: from a history, out of a gateway, into a centre's folder."""
