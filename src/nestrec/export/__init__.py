"""Other libraries' indices made from a model: one adapter a file, its library imported inside (extras)."""
