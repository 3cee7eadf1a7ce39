"""A table that describes the items of a model: titles, and columns to filter by."""
