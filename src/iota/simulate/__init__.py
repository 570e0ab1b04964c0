"""Diffraction stills with known truth."""
