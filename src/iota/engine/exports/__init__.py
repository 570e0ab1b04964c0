"""Writes integrated frames as composite DIALS files and as CrystFEL files."""
