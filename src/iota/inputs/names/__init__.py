"""Names and paths: kinds of file, natural order, lists of images, ranges."""
