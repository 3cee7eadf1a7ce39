"""Slices cover everything once, in order, and none is longer than it may be unless it is a single row."""

from __future__ import annotations

import signal
import threading
import time
from threading import Event

import numpy as np
import pytest

from nestrec.parallel.slices import counted_slices, position_slices, row_slices
from nestrec.parallel.threads import map_in_threads


@pytest.mark.parametrize("most", [1, 2, 5, 1000])
def test_rows_are_cut_by_what_they_hold(most: int) -> None:
    rng = np.random.default_rng(most)
    for n_rows in (0, 1, 2, 40):
        sizes = rng.integers(0, 5, n_rows) * rng.integers(0, 2, n_rows)
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        slices = row_slices(indptr, most)
        assert [row for first, last in slices for row in range(first, last)] == list(range(n_rows))
        assert all(last - first == 1 or sizes[first:last].sum() <= most for first, last in slices)
        assert all(last - first <= most for first, last in slices)
        assert counted_slices(sizes, most) == slices


def test_positions_are_cut() -> None:
    assert list(position_slices(7, 3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(position_slices(0, 3)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_are_answered_in_their_order(threads: int) -> None:
    assert map_in_threads(lambda piece: piece * piece, range(50), threads) == [piece * piece for piece in range(50)]


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_begins_no_other_piece(threads: int) -> None:
    """All pieces that had been handed to the threads were worked on before the interruption was heard."""
    begun, stopped = [], Event()

    def work(piece: int) -> None:
        begun.append(piece)
        time.sleep(0.05)

    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        map_in_threads(work, range(400), threads, stopped)
    timer.join()
    assert len(begun) < 40
    assert stopped.is_set() == (threads > 1)


def test_an_error_in_a_piece_is_raised_and_ends_the_others() -> None:
    def work(piece: int) -> None:
        time.sleep(0.01)
        if piece == 2:
            raise ValueError(piece)

    with pytest.raises(ValueError, match="2"):
        map_in_threads(work, range(1000), 2)
