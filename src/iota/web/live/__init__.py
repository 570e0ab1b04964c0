"""Runs that are being viewed: followed once for all viewers."""
