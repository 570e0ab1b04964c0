"""Tests with the real backend."""

from iota.engine.backend.installation import prepare

prepare()
