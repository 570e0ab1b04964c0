"""HDF5 masters: where each image is stored, duplicates, and files that need another program."""
