"""OPC UA (OPC 10000): one subscription a source, decoded in columns."""
