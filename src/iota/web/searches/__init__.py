"""Searches on the server's machine, each in a process with limits."""
