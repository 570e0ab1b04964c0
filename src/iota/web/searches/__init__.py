"""File searches that pages and API start: images in inputs, and folders in the file browser."""
