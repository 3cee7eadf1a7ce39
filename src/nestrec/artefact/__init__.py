"""Saved models: a directory of safetensors and a manifest, replaced atomically; no pickle."""
