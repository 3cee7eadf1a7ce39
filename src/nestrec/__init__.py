"""nestrec: recommender embeddings that nest. Public names load on first use."""
