"""The geometry of a run: checked while it is in progress, and revised if it is wrong."""
