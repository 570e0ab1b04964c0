"""Imported by the process from which workers are forked: what each of them would else load for itself."""

from iota.engine.strong_pixels import warm_up

warm_up()
