"""Observations of all lattices together: scaling by DIALS, and counts of Miller indices."""
