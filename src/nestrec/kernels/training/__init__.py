"""Kernels of the CPU training engine."""
