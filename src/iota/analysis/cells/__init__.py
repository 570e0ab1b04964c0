"""Unit cells: clusters, the consensus lattice, supercells, and a common scale factor of all axes."""
