"""The commands: parse, call, turn errors into sentences."""
