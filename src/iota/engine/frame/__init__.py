"""Processes one frame from import to filter; worker functions, files and memory limits of a frame."""
