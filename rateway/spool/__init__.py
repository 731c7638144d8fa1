"""Events that wait on disk while the broker can't take them: a bounded queue per cluster."""
