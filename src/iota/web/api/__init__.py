"""The HTTP API: JSON, and float32 or Arrow for columns."""
