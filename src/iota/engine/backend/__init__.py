"""DIALS as installed: its parameters, versions, messages and files."""
