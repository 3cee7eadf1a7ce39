"""The torch engine: the objective under autograd, for graphs, GPUs and losses or samplers added as small classes."""
