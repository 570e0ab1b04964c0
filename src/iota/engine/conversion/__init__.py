"""Converts images to pickles, as earlier versions of IOTA did."""
