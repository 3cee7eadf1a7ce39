"""The size of a tile of candidates, apart from the kernels so that reading it compiles nothing."""

TILE = 64  # items in a tile are a multiple of this: eight vectors of scores stay in registers
