"""A run from start to end: coordinator, lattice determination, optimisation, resuming, conclusion."""
