"""Retrieval: which ids a question names, and the best answers to it at one width."""
