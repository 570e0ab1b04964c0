"""Processes one frame with DIALS; the only package that imports dials and dxtbx."""
