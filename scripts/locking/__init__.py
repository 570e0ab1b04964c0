"""Makes and checks the lock files in ``src/iota/requirements``."""
