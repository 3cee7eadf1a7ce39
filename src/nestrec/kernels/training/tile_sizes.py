"""Sizes of the tiles that training kernels work in, apart from the kernels so that reading them compiles nothing."""

TILE = 64  # items in a tile of candidates are a multiple of this: eight vectors of scores stay in registers
BLOCK = 32  # positives that share a tile; fewer cost more loading, more make the negatives of neighbours too similar
