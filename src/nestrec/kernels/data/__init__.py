"""Kernels that read, sort, filter and split interactions."""
