"""The tabs of a run's page; each has ``build(live, selection)``."""
