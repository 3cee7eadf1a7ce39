"""Candidates for negatives: what a batch needs, and what was drawn for it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nestrec.training.autograd.counter_rng import Number


@dataclass(frozen=True)
class CandidateRequest:
    """Candidates that a batch needs."""

    users: torch.Tensor  # (batch,) int64
    widths: tuple[int, ...]  # one for each pool
    n_candidates: int  # of a pool
    key: Number  # random key of the epoch's candidates
    first_position: Number  # of the batch in the epoch's order

    @property
    def shape(self) -> tuple[int, int, int]:
        """(batch, n_pools, n_candidates)."""
        return len(self.users), len(self.widths), self.n_candidates


@dataclass(frozen=True)
class Candidates:
    """Drawn items and their scores, each (batch, n_pools, n_candidates)."""

    items: torch.Tensor  # int64
    scores: torch.Tensor  # float32
