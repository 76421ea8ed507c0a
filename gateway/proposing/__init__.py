"""Who proposes setpoints: rules, an optimiser, and the way of their requests to the guard."""
