"""Kernels of evaluation and retrieval."""
