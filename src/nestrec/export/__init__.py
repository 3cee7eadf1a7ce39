"""Export: recommendations of all users, and vectors in formats of other tools, by exporters."""
