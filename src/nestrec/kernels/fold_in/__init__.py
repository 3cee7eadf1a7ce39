"""Kernels that solve for the vectors of users whom a model was not trained on."""
