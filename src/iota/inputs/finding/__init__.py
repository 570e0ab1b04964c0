"""From what a person names to frames."""
