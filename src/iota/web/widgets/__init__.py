"""Elements that pages are made of."""
