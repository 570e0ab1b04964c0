"""The lattice of a still: indexing, refinement, mosaicity, prediction, integration profiles, statistics."""
