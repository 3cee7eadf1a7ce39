"""Eight-lane vectors and packed codes, as values inside compiled kernels."""
