"""Unit cells compared as lattices: clusters, the consensus, supercells, and a common factor of all axes."""
