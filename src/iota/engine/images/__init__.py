"""From an image file to DIALS' experiments and pixels: formats, masks, and geometry that replaces the header's."""
