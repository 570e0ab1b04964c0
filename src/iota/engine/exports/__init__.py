"""Integrated DIALS files as composite files and CrystFEL files."""
