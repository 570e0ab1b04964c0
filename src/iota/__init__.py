"""IOTA: integration optimisation, triage and analysis of serial crystallography stills, a front end to DIALS."""

__version__ = "2.0.0.dev0"
