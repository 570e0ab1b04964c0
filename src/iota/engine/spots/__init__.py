"""Strong pixels, spots and ice rings of one frame."""
