"""Threads, and work in slices between which Ctrl-C is handled."""
