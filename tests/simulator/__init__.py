"""The simulated Discord, tested by a client that knows nothing of rateway."""
