"""Reusable elements of pages."""
