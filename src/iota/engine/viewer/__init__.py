"""Images for people: pixels, tiles, overlays and masks for the browser, and DIALS' own viewer."""
