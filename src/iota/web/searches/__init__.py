"""Searches for files on the server, in processes with limits."""
