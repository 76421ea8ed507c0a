"""Who is believed, who we are, and what protects a connection (OPC 10000-4 §6.1, OPC 10000-12)."""
