"""A safetensors file of ids and vectors, whole or quantized."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.atomic.output_file import atomic_file
from nestrec.embeddings import NestedEmbeddings
from nestrec.export.exporters import Side, select_side

_LARGEST_CODE = 127
_KINDS = {"float32": "F32", "int8": "I8", "uint8": "U8", "int64": "I64", "uint16": "BF16"}  # of NumPy's types


@dataclass(frozen=True)
class SafetensorsExporter:
    """Tensors `vectors` and `ids`; text as UTF-8 bytes with offsets.

    Ids that are text are `ids.bytes` (uint8) and `ids.offsets` (int64), of n + 1 numbers: id i is the bytes from
    offset i to offset i + 1. Titles, where the model has them, are `titles.bytes` and `titles.offsets`.
    """

    quantize: Literal["int8", "bf16"] | None = None
    """`int8`: `vectors` are codes, to be multiplied by `scales`, one a row. `bf16`: bfloat16."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """See `Exporter`."""
        ids, vectors = select_side(model, side)
        arrays = {**_encode_vectors(vectors, self.quantize), **_encode_texts("ids", ids)}
        if side == "items" and model.item_table is not None and model.item_table.title_column is not None:
            titles = model.item_table.titles_at(np.arange(model.n_items))
            arrays |= _encode_texts("titles", titles)
        described = {"widths": ",".join(map(str, model.widths)), "side": side}
        with atomic_file(path, overwrite=overwrite) as partial:
            _write(partial, arrays, described)


def quantize_rows(vectors: Float32Array) -> tuple[npt.NDArray[np.int8], Float32Array]:
    """Return codes and scales, (n,), whose product is nearest to each row.

    >>> codes, scales = quantize_rows(np.array([[127.0, -63.5]], dtype=np.float32))
    >>> codes.tolist(), scales.tolist()
    ([[127, -64]], [1.0])
    """
    largest = np.abs(vectors).max(axis=1, initial=0.0)
    scales = np.where(largest > 0, largest / _LARGEST_CODE, 1).astype(np.float32)
    return np.rint(vectors / scales[:, np.newaxis]).astype(np.int8), scales


def _encode_vectors(vectors: Float32Array, quantize: str | None) -> dict[str, npt.NDArray[Any]]:
    if quantize == "int8":
        codes, scales = quantize_rows(vectors)
        return {"vectors": codes, "scales": scales}
    if quantize == "bf16":
        bits = np.ascontiguousarray(vectors).view(np.uint32)
        nearest_even = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return {"vectors": ((bits + nearest_even) >> np.uint32(16)).astype(np.uint16)}
    return {"vectors": np.ascontiguousarray(vectors)}


def _encode_texts(name: str, values: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    if values.dtype.kind != "T":
        return {name: values}
    encoded = [text.encode() for text in values.tolist()]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return {f"{name}.bytes": np.frombuffer(b"".join(encoded), dtype=np.uint8), f"{name}.offsets": offsets}


def _write(path: Path, arrays: dict[str, npt.NDArray[Any]], described: dict[str, str]) -> None:
    """Write the format by its specification: the header's length, the header as JSON, then the tensors.

    safetensors itself would hold all of the file in memory, and NumPy has no bfloat16.
    """
    ordered = sorted(arrays.items(), key=lambda pair: -pair[1].itemsize)  # keeps every tensor aligned
    header: dict[str, Any] = {"__metadata__": described}
    place = 0
    for name, array in ordered:
        end = place + array.nbytes
        header[name] = {"dtype": _KINDS[array.dtype.name], "shape": list(array.shape), "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in ordered:
            file.write(np.ascontiguousarray(array).data)
