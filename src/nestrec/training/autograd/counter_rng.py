"""Counter-based random numbers: a hash of a key and a position, the same on every device and in the kernels.

The bits are those of `kernels/counter_rng.py` (splitmix64's finaliser, Steele, Lea & Flood 2014). Tensors hold them as
int64; the arithmetic wraps around as that of uint64 does, and shifts to the right are made logical by a mask. Keys and
positions may be tensors too: a step that is captured as a CUDA graph reads them from the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
import torch

from nestrec.kernels import counter_rng as shuffle

Number = int | torch.Tensor  # a uint64 number, or a tensor () int64 of its bits


def to_signed(number: int) -> int:
    """Return the int64 number with the bits of a uint64 one."""
    return number - 2**64 if number >= 2**63 else number


def on_device(number: Number, device: torch.device) -> torch.Tensor:
    """Return a tensor () int64, filled on the device: a copy would wait for it."""
    if isinstance(number, torch.Tensor):
        return number
    return torch.full((), to_signed(int(number)), dtype=torch.int64, device=device)


_GOLDEN = to_signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = to_signed(0xBF58476D1CE4E5B9), to_signed(0x94D049BB133111EB)


def _shift_right(bits: torch.Tensor, by: int) -> torch.Tensor:
    return (bits >> by) & ((1 << (64 - by)) - 1)


def random_bits(key: Number, positions: torch.Tensor) -> torch.Tensor:
    """Return 64 bits for each position, int64."""
    x = (positions + 1) * _GOLDEN + (key if isinstance(key, torch.Tensor) else to_signed(int(key)))
    return _mix(x)


def _mix(x: torch.Tensor) -> torch.Tensor:
    x = (x ^ _shift_right(x, 30)) * _FIRST
    x = (x ^ _shift_right(x, 27)) * _SECOND
    return x ^ _shift_right(x, 31)


def below(bits: torch.Tensor, bound: torch.Tensor | int) -> torch.Tensor:
    """Turn bits into whole numbers in [0, bound); bound < 2^31."""
    return _shift_right(_shift_right(bits, 32) * bound, 32)


@dataclass
class Draws:
    """Random numbers for one batch: new ones at every call, reproducible for the same epoch and positions.

    A positive's numbers depend only on its position in the epoch's order.
    """

    key: Number  # the epoch's
    first_position: Number
    device: torch.device
    _calls: int = 0

    def uniform(self, *shape: int) -> torch.Tensor:
        """Return float32 numbers in [0, 1); shape[0] is the batch."""
        return _shift_right(self._bits(shape), 40).to(torch.float32) * 2.0**-24

    def below(self, bound: int, *shape: int) -> torch.Tensor:
        """Return whole numbers in [0, bound), int64; shape[0] is the batch."""
        return below(self._bits(shape), bound)

    def _bits(self, shape: tuple[int, ...]) -> torch.Tensor:
        self._calls += 1
        each = int(np.prod(shape[1:]))
        positions = torch.arange(shape[0] * each, device=self.device) + self.first_position * each
        return random_bits(derive_key(self.key, self._calls), positions).view(shape)


@overload
def derive_key(key: int, number: int) -> int: ...
@overload
def derive_key(key: Number, number: int) -> Number: ...
def derive_key(key: Number, number: int) -> Number:
    """Return the number-th key derived from a key."""
    if isinstance(key, torch.Tensor):
        return _mix(key + to_signed((number + 1) * (_GOLDEN % 2**64) % 2**64))
    return int(shuffle.random_bits(np.uint64(key), number))
