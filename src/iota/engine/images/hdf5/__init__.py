"""HDF5 masters: pixels by the map of images, models by dxtbx from a corrected header."""
