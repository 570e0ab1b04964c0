"""What IOTA is installed with: lock files with versions and hashes, a folder for each DIALS that it is tested with."""
