"""Sizes of the tiles that training kernels work in, apart from the kernels so that reading them compiles nothing."""

TILE = 64  # items in a tile of candidates are a multiple of this: eight vectors of scores stay in registers
BLOCK = 32  # positives whose pairs share a tile; fewer load more, more make the negatives of neighbours too similar
POOL_BLOCK = 64  # positives that share the softmax's pool, a power of 2 from 32 on; the same
