"""Retrieval: which ids a question names, and the best answers to it, exact or through a funnel."""
