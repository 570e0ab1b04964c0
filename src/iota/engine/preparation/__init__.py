"""What is made once before a run from its first images: the beamstop mask and the gain."""
