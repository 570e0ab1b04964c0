"""Lock files: the versions and hashes with which IOTA is installed, a folder for each DIALS that it is tested with."""
