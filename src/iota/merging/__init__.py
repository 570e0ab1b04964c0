"""Merges the lattices of a run: indexing ambiguity, scaling by DIALS, PRIME or xia2."""
