"""The detector image: routes of the image page, and the helper processes that open images."""
