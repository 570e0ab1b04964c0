"""Tests with the real backend."""

from iota.engine.installation import prepare

prepare()
