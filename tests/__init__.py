"""Tests of rateway: ``python -m twisted.trial -j2 tests``."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is.
settings.register_profile("rateway", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rateway")
