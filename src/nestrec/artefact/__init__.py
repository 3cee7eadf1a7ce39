"""A model on disk: a directory of safetensors and a manifest, replaced as a whole or not at all; no pickle."""
