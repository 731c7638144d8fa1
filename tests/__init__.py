"""Tests of rateway: ``python -m twisted.trial -j2 tests``."""
