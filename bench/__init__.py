"""Benchmarks: CPU time per event and ratios within one run, never wall-clock claims. See docs/benchmarks.md."""
