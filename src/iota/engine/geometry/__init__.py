"""Detector geometry between the files of DIALS or CrystFEL and the refinement of IOTA."""
