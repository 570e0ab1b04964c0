"""Checks of `iota.doctor`, each with its result and what to do."""
