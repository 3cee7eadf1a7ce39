"""Interactions: their ids, their matrix, how they are read, filtered and split."""
