"""A recorded month through the guard: what it would have done to the setpoints."""
