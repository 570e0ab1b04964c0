"""Refinement of the detector geometry from the lattices of a run or from files of DIALS."""
