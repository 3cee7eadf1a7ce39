"""Autotune: measure search configs of a model and choose the cheapest that reaches a target recall."""
