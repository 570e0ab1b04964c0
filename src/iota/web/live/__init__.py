"""Runs that are followed, and what is computed once for all who look at them."""
