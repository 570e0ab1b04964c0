"""Images for the browser: pixels, tiles, overlays and masks; and the image viewer of DIALS."""
