"""Training: from interactions to embeddings that nest."""
