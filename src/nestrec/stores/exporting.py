"""`export`: bring a store to the rows of a model, writing only what differs.

Fingerprints that are stored with the rows say which are new, changed, gone or unchanged. An export that was killed is
continued by the next one, and one that is repeated writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as package_version
from typing import Any

import xxhash

from nestrec.arguments import check_integers
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, OutputError, StoreError
from nestrec.export.exporters import Side
from nestrec.field_docs import show_field_docs
from nestrec.stores.held_model import fingerprint_items
from nestrec.stores.layout import Layout, Quantization, describe_layout
from nestrec.stores.metadata import OperatingPoint, StoreMetadata, read_metadata
from nestrec.stores.model_rows import ModelRows, select_model_rows
from nestrec.stores.operating_points import measure_operating_points
from nestrec.stores.store import Store, StoredRows
from nestrec.stores.write_plan import WriteCounts, WritePlan, plan_writes

Progress = Callable[[int, int], object]
_DELETED_AT_ONCE = 10_000


@show_field_docs
@dataclass(frozen=True)
class ExportReport:
    """What an export did."""

    place: str
    """Folder or address of the store."""
    sides: tuple[WriteCounts, ...]
    """Rows written, deleted and left, for each side."""
    layout: Layout
    """Widths, columns and types of the store."""
    operating_points: tuple[OperatingPoint, ...]
    """Recommended widths and shortlists, in ascending order of recall."""

    @property
    def changed(self) -> bool:
        """Whether any row was written or deleted."""
        return any(side.n_writes for side in self.sides)


@dataclass(frozen=True)
class ExportRequest:
    """What to export."""

    sides: tuple[Side, ...] = ("items",)
    widths: tuple[int, ...] | None = None
    """Trained widths to store; None: those of the store, or for a new one the recommended prefix and the widest."""
    quantize: Quantization | None = None
    where: str | None = None
    """Condition on the item table: only items that meet it are stored."""
    changed_since: NestedEmbeddings | None = None
    """The model that the store holds: rows are compared with it, and the store is not read."""
    overwrite: bool = False
    """Replace a store of another layout."""


def export(
    model: NestedEmbeddings, store: Store, request: ExportRequest | None = None, *, progress: Progress | None = None
) -> ExportReport:
    """Write a model to a store, or bring a store up to date, and return what was done.

    `progress` is called with the rows that are done, of all that are written. Raises OptionError for a request that
    does not fit the model or the store, OutputError for a place that holds something else.
    """
    with store.locked():
        return _Export(model, store, request or ExportRequest()).run(progress)


class _Export:
    """One run: the layout, the rows of the model with their fingerprints, and what the store has of them."""

    def __init__(self, model: NestedEmbeddings, store: Store, request: ExportRequest) -> None:
        self._model, self._store, self._request = model, store, request
        found = store.load_metadata()
        self._earlier = None if found is None else read_metadata(found, store.place)
        layout, self._points = self._describe()
        if self._earlier is not None and self._earlier.layout != layout:
            self._replace(_describe_differences(self._earlier.layout, layout), self._earlier.layout.sides)
        if self._earlier is not None and self._earlier.options != store.build_options():
            self._replace(f"options {_show(self._earlier.options)}, not {_show(store.build_options())}")
        self._layout = layout
        self._rows = {side: self._select(model, side) for side in layout.sides}
        self._fingerprints = {side: rows.fingerprint() for side, rows in self._rows.items()}
        self._version = _join_versions(self._rows, self._fingerprints)
        self._held_items = fingerprint_items(model, layout.size)

    def _replace(self, differences: str, stored: tuple[Side, ...] | None = None) -> None:
        """Start again where the store may be replaced; raise OutputError otherwise, with the sides that it has."""
        if not self._request.overwrite:
            sides = f"sides={stored}" if stored not in (None, self._request.sides) else None
            raise OutputError(
                f"the store at {self._store.place} was written with other settings: {differences}; "
                f"{'' if sides is None else f'give {sides} as before, '}replace it with overwrite=True, or name "
                "another one",
                mentions=("overwrite=True", *([] if sides is None else [sides])),
            )
        self._earlier = None

    def run(self, progress: Progress | None) -> ExportReport:
        """Compare, write, delete, build the index and store the metadata."""
        if self._request.changed_since is None:
            plans = {side: self._compare_with_store(side) for side in self._layout.sides}
        else:
            plans = self._compare_with_model(self._request.changed_since)
        counts = tuple(plan.counts for plan in plans.values())
        earlier = self._earlier
        if earlier is not None and self._is_current(earlier) and not any(one.n_writes for one in counts):
            return ExportReport(self._store.place, counts, self._layout, earlier.operating_points)
        points = self._points if self._points is not None else self._measure(self._layout.widths)
        metadata = self._metadata(points)
        self._begin(metadata)
        self._write(plans, progress)
        self._store.build_index()
        self._store.save_metadata(metadata)
        return ExportReport(self._store.place, counts, self._layout, points)

    def _is_current(self, earlier: StoreMetadata) -> bool:
        """Tell whether the last export ended, and was of the same items; `where` may leave out those that changed."""
        same = earlier.where == self._request.where and earlier.held_items == self._held_items
        return earlier.writing is None and same

    def _describe(self) -> tuple[Layout, tuple[OperatingPoint, ...] | None]:
        """Return the layout, and the operating points where they were measured to choose its widths."""
        request, points = self._request, None
        if request.widths is not None:
            chosen = check_integers("widths", request.widths, "16, 64")
            widths = tuple(sorted({self._model.widths.values[self._model.widths.level_of(one)] for one in chosen}))
            if not widths:
                raise OptionError("widths must be one trained width or more, got none", option="widths")
        elif self._earlier is not None and not request.overwrite:
            widths = self._earlier.layout.widths
        else:
            size = self._model.embedding_size
            points = self._measure(tuple(self._model.widths))
            widths = tuple(sorted({*(width for point in points for width in point.widths), size}))
        if not set(widths) <= set(self._model.widths):
            raise OptionError(
                f"widths of the store at {self._store.place} are {_join(widths)}, and the model was trained with "
                f"{_join(self._model.widths)}; replace the store with overwrite=True",
                mentions=("overwrite=True",),
            )
        if not request.sides:
            raise OptionError("sides must be items, users or both; got none")
        return describe_layout(self._model, request.sides, widths, request.quantize), points

    def _measure(self, widths: tuple[int, ...]) -> tuple[OperatingPoint, ...]:
        items = select_model_rows(self._model, "items", widths[-1], self._request.where).selected
        return measure_operating_points(self._model, items, widths[-1], widths)

    def _select(self, model: NestedEmbeddings, side: Side) -> ModelRows:
        return select_model_rows(model, side, self._layout.size, self._request.where)

    def _compare_with_store(self, side: Side) -> WritePlan:
        stored = () if self._earlier is None else self._store.read_rows(side)
        return plan_writes(side, Vocabulary(self._rows[side].ids), self._fingerprints[side], stored)

    def _compare_with_model(self, model: NestedEmbeddings) -> dict[Side, WritePlan]:
        """Return what differs from an earlier model, which the store must hold."""
        layout = describe_layout(model, self._layout.sides, self._layout.widths, self._layout.quantize)
        rows = {side: self._select(model, side) for side in layout.sides}
        fingerprints = {side: one.fingerprint() for side, one in rows.items()}
        earlier = self._earlier
        expected = _join_versions(rows, fingerprints)
        if earlier is None or layout != self._layout or earlier.version not in (expected, self._version):
            raise OptionError(
                f"changed_since must be the model that the store at {self._store.place} holds, and it holds another "
                "or none; leave it out, and the rows of the store are read and compared",
                option="changed_since",
            )
        if earlier.writing not in (None, self._version):
            raise StoreError(
                f"an export of another model to {self._store.place} did not end; leave out changed_since, and the rows "
                "of the store are read and compared",
                mentions=("changed_since",),
            )
        if earlier.version == self._version and earlier.writing is None:
            rows, fingerprints = self._rows, self._fingerprints
        return {
            side: plan_writes(
                side,
                Vocabulary(self._rows[side].ids),
                self._fingerprints[side],
                [StoredRows(rows[side].ids, fingerprints[side])],
            )
            for side in self._layout.sides
        }

    def _metadata(self, points: tuple[OperatingPoint, ...]) -> StoreMetadata:
        n_rows = {side: len(rows.selected) for side, rows in self._rows.items()}
        return StoreMetadata(
            self._store.name, self._layout, self._version, None, self._held_items, self._request.where,
            n_rows.get("items", 0), n_rows.get("users", 0), points, self._store.build_options(),
            package_version("nestrec"),
        )  # fmt: skip

    def _begin(self, metadata: StoreMetadata) -> None:
        """Note in the store what is being written, so that a search of a half-written first export is refused."""
        values = metadata.as_dict()
        earlier = self._earlier
        values |= {
            "version": None if earlier is None else earlier.version,
            "held_items": None if earlier is None else earlier.held_items,
            "writing": self._version,
        }
        begun = read_metadata(values, self._store.place)
        if self._earlier is None:
            self._store.create(begun)
        else:
            self._store.save_metadata(begun)

    def _write(self, plans: dict[Side, WritePlan], progress: Progress | None) -> None:
        total, done = sum(plan.counts.n_writes for plan in plans.values()), 0
        for side, plan in plans.items():
            for rows in self._rows[side].batches(plan.wanted, self._fingerprints[side], self._store.batch_rows):
                self._store.write(side, rows)
                done += len(rows.ids)
                if progress is not None:
                    progress(done, total)
            for start in range(0, len(plan.gone), _DELETED_AT_ONCE):
                ids = plan.gone[start : start + _DELETED_AT_ONCE]
                self._store.delete(side, ids)
                done += len(ids)
                if progress is not None:
                    progress(done, total)


def _join_versions(rows: dict[Side, ModelRows], fingerprints: dict[Side, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(" ".join(one.version(fingerprints[side]) for side, one in rows.items()))


def _join(widths: Any) -> str:
    return ", ".join(map(str, widths))


def _describe_differences(stored: Layout, wanted: Layout) -> str:
    both = [name for name in ("items", "users") if name in stored.sides and name in wanted.sides]
    names = [name for name in ("widths", *both, "quantize") if getattr(stored, name) != getattr(wanted, name)]
    shown = [f"{name} {_show(getattr(stored, name))}, not {_show(getattr(wanted, name))}" for name in names]
    if stored.sides != wanted.sides:
        shown.append(f"{' and '.join(stored.sides)}, not {' and '.join(wanted.sides)}")
    return "; ".join(shown)


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return _join(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={one}" for name, one in value.items()) or "none"
    if value is None:
        return "none"
    return value if isinstance(value, str) else f"({value.id_type} ids; columns {', '.join(value.columns) or 'none'})"
