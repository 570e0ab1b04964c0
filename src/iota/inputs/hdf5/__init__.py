"""HDF5 masters: where each of their images lies, which are the same, and files that need another program."""
