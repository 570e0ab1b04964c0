"""Distributes frames to workers and collects records: local processes, MPI, batch systems."""
