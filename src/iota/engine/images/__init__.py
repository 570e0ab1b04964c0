"""From an image file to DIALS experiments and pixels: formats, masks, geometry that replaces the header's."""
