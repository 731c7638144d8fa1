"""Scenarios: their format, their judgement, and rateway in each of those that come with the simulator."""
