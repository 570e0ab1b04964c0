"""Images saved as pickles, as earlier versions of IOTA made them."""
