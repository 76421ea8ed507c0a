"""Learning from several gateways while their rows stay where they are.

Each sends count, mean and centred scatter of its rows, mode by mode; the centre merges them
exactly, and what it makes of them is the model that the pooled rows would give. Nothing here reads
or writes anything: messages are bytes, how they travel is somebody else's matter. This is data
minimisation, not differential privacy.
"""
