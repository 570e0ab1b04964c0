"""From paths to frames."""
