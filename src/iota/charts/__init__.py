"""Charts: each is described once, from counts or columns, and painted as SVG for pages and reports, or into files."""
