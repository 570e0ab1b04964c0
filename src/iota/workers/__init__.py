"""The coordinator hands frames to workers and takes back records; it never touches pixels."""
