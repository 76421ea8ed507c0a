"""Peers that misbehave on purpose, each with a log of what it really did: for tests only."""
