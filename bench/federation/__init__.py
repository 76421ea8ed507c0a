"""Three gateways that learn together, and what it costs and brings."""
