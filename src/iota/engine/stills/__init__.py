"""The lattice of one still: indexing, refinement, mosaicity, prediction, profile, and its statistics."""
