"""The installed DIALS: its parameters, versions, error messages and files."""
