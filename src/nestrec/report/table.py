"""A table of texts, to be printed or set in HTML by whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace

_BETWEEN = 3  # blanks beside a column, and one more at the table's edge


@dataclass(frozen=True)
class TextTable:
    """Headers and rows; every row is as long as the headers.

    >>> table = TextTable(("width", "recall@20", "ndcg@20"), (("4", "0.17", "0.16"),))
    >>> [part.headers for part in table.in_parts(20)]
    [('width', 'recall@20'), ('width', 'ndcg@20')]
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None
    n_left: int = 0  # columns set left; the rest, numbers, are set right

    def in_parts(self, room: int) -> list[TextTable]:
        """Cut between columns where all of them need more than `room` characters; each part begins with the first."""
        sizes = [_BETWEEN + max(map(len, column)) for column in zip(self.headers, *self.rows, strict=True)]
        groups: list[list[int]] = [[]]
        for place in range(1, len(sizes)):
            if groups[-1] and sizes[0] + sum(sizes[taken] for taken in [*groups[-1], place]) >= room:
                groups.append([])
            groups[-1].append(place)
        return [self._of([0, *group]) for group in groups]

    def _of(self, places: list[int]) -> TextTable:
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, headers=tuple(self.headers[place] for place in places), rows=rows)
