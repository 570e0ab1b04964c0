"""The HTTP API: JSON, and columns as float32 or Arrow."""
