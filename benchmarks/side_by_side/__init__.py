"""``scripts/bench``: whole commands of dials.stills_process and iota.run side by side on the same images."""
