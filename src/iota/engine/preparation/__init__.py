"""Preparation of a run from its first images: the beamstop mask and the detector gain."""
