"""Tables of strings, printed or rendered as HTML elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

BETWEEN = 3  # characters between columns, and one more at the edge


@dataclass(frozen=True)
class TextTable:
    """Headers and rows of equal length.

    >>> table = TextTable(("width", "recall@20", "ndcg@20"), (("4", "0.17", "0.16"),))
    >>> [part.headers for part in table.in_parts(20)]
    [('width', 'recall@20'), ('width', 'ndcg@20')]
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None
    n_left: int = 0  # left-aligned columns; the others are right-aligned
    last_left: bool = False  # the last column is left-aligned too

    def in_parts(self, room: int) -> list[TextTable]:
        """Split between columns if they need more than `room` characters; each part starts with the first column."""
        sizes = [BETWEEN + max(map(len, column)) for column in zip(self.headers, *self.rows, strict=True)]
        groups: list[list[int]] = [[]]
        for column in range(1, len(sizes)):
            if groups[-1] and sizes[0] + sum(sizes[taken] for taken in [*groups[-1], column]) >= room:
                groups.append([])
            groups[-1].append(column)
        return [self._select([0, *group]) for group in groups]

    def is_left(self, column: int) -> bool:
        """Tell whether a column is left-aligned."""
        return column < self.n_left or (self.last_left and column == len(self.headers) - 1)

    def _select(self, columns: list[int]) -> TextTable:
        rows = tuple(tuple(row[column] for column in columns) for row in self.rows)
        headers, last = tuple(self.headers[column] for column in columns), len(self.headers) - 1
        return replace(self, headers=headers, rows=rows, last_left=self.last_left and last in columns)
