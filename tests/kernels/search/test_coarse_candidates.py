"""Buffers of a coarse scan start with the thresholds of a sample."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.kernels.search.coarse_candidates import raise_thresholds
from nestrec.kernels.search.selection import LOWEST_KEY, encode_keys
from nestrec.kernels.search.top_k_buffers import empty_buffers


@pytest.mark.parametrize("n_sampled", [4, 9])
def test_buffers_begin_above_the_kth_best_of_a_sample(n_sampled: int) -> None:
    sample, buffers = empty_buffers(1, 1, 5), empty_buffers(1, 1, 5)
    scores = np.arange(n_sampled, dtype=np.float32)
    sample.keys[0, :n_sampled] = encode_keys(scores, np.arange(n_sampled))
    sample.counts[0] = n_sampled
    raise_thresholds(sample, 5, buffers)
    if n_sampled < 5:
        assert buffers.floors[0] == LOWEST_KEY
    else:
        assert 3.0 < buffers.thresholds[0] <= 4.0
        assert LOWEST_KEY < buffers.floors[0] <= sample.keys[0, 4]
