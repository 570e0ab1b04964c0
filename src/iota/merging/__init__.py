"""Merging the lattices of a run: indexing ambiguity, programs, folders and records."""
