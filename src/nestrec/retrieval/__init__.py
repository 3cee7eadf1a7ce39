"""Retrieval: maximum inner product search, exact or through a funnel of shortlists."""
