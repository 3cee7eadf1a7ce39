"""Kernels of search: full scan, coarse scan, rerank, top-k selection."""
