"""The reference pages, made from the code, and what has to hold of all pages."""
