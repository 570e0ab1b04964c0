"""Names and paths of inputs: kinds of file, natural order, lists, ranges, and what is wrong with an input."""
