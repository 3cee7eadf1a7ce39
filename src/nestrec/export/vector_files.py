"""Vectors and ids in one file: NumPy, or the text format of word2vec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.atomic.output_file import atomic_file
from nestrec.data.ids import IdArray
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.export.exporters import Side, select_side

_ROWS = 65_536  # written at once


@dataclass(frozen=True)
class NpzExporter:
    """A NumPy archive of the arrays `ids`, `vectors` and, where the model has them, `titles`; read without pickle."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """See `Exporter`; raises OptionError for ids that end with a NUL, which NumPy text drops."""
        ids, vectors = select_side(model, side)
        arrays = {"ids": _as_fixed_text("ids", ids) if ids.dtype.kind == "T" else ids, "vectors": vectors}
        table = model.item_table
        if side == "items" and table is not None and table.title_column is not None:
            arrays["titles"] = _as_fixed_text("titles", table.titles_at(np.arange(model.n_items)))
        with atomic_file(path, overwrite=overwrite) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)


def _as_fixed_text(name: str, texts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return text of a fixed width, which needs no pickle."""
    plain = texts.tolist()
    if any(text.endswith("\0") for text in plain):
        raise OptionError(f"{name} must not end with a NUL character in an .npz file; export to parquet")
    return np.array(plain, dtype=np.str_)


@dataclass(frozen=True)
class Word2VecExporter:
    """The text format of word2vec: a line with the two sizes, then an id and its numbers a line."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """See `Exporter`; raises OptionError for ids that are empty or hold white space, which separates the fields."""
        ids, vectors = select_side(model, side)
        with (
            atomic_file(path, overwrite=overwrite) as partial,
            partial.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.write(f"{vectors.shape[0]} {vectors.shape[1]}\n")
            file.writelines(_format_rows(ids, vectors))


def _format_rows(ids: IdArray, vectors: Float32Array) -> Iterator[str]:
    """Yield lines; a number is the shortest text that reads back as the same float32."""
    for start in range(0, len(ids), _ROWS):
        some: npt.NDArray[Any] = vectors[start : start + _ROWS].astype(str)
        for value, numbers in zip(ids[start : start + _ROWS].tolist(), some.tolist(), strict=True):
            text = str(value)
            if len(text.split()) != 1 or text != text.strip():
                raise OptionError(
                    f"ids must not be empty or hold white space in a word2vec file, got {text!r}; export to parquet"
                )
            yield f"{text} {' '.join(numbers)}\n"
