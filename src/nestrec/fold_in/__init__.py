"""Vectors of new users and items from their histories, without training: the model's other side is fixed."""
