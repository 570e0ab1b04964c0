"""Scaling by DIALS, MTZ files, and counts of Miller indices."""
