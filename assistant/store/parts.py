"""Many numbers in a query, some at a time: SQLite takes a bounded count of them in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_AT_ONCE = 500


def in_parts(numbers: Iterable[int]) -> Iterator[tuple[list[int], str]]:
    """The numbers, some at a time in their order, each time with the marks for `IN (…)`."""
    every = list(numbers)
    for start in range(0, len(every), _AT_ONCE):
        some = every[start : start + _AT_ONCE]
        yield some, ",".join("?" * len(some))
