"""Merged intensities: data quality, indexing ambiguity, completeness, and how much data is enough."""
