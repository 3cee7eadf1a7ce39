"""Threads, and work cut into slices between which Ctrl-C is handled."""
