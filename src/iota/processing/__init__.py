"""A run: its coordinator, determining the lattice, optimisation, and what is written at its end."""
