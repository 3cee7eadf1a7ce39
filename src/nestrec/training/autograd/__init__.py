"""The torch engine: the objective under autograd, for graphs, GPUs and whatever is added as a small class."""
