"""Finds the frames in what the user names."""
