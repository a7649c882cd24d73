"""What is kept of a text so that texts like it can be found: the layout of a record, and what a search finds.

Values only: the numbers are made and compared in a worker process (`engine/embedding.py`).
"""

from __future__ import annotations

from pydantic import Field

from assistant.models import Value

LEGS = ("minilm-l6-v2", "multilingual-e5-small")
"""The models, in the order in which their vectors lie in a record."""
DIMENSIONS = 384
LEG_BYTES = 4 + DIMENSIONS
"""One float32 (little-endian) that the int8 after it are multiplied with; all zeros: that model did not read it."""
RECORD = len(LEGS) * LEG_BYTES
"""Bytes of a record. Record n of a file begins at n * RECORD; all zeros is an empty slot."""
EMPTY = bytes(RECORD)


class Hit(Value):
    """A record that is near to what was asked."""

    slot: int
    score: float
    """The cosine."""
    before: float | None = None
    """The score of the slot before; None where that is empty."""
    after: float | None = None


class Leg(Value):
    """What one model finds."""

    name: str
    count: int = 0
    """Records with a vector of this model; 0 too where the model is not there."""
    mean: float = 0.0
    """Of the scores of all of them, or of a fixed sample where they are many."""
    deviation: float = 0.0
    best: tuple[Hit, ...] = ()
    """The nearest, best first."""
    among: dict[int, float] = Field(default_factory=dict)
    """The scores of the slots that were asked about; empty ones are left out."""


class Nearest(Value):
    """What is near to a query, by model, in the order of `LEGS`."""

    legs: tuple[Leg, ...] = tuple(Leg(name=name) for name in LEGS)
