"""Vectors as records, and the nearest records of a file. Numbers only: knows no text and no model.

Searching a large file reads little of it: one bit per dimension (on which side of the middle a vector lies) is kept in
memory, the query's distance to these bits picks some thousand candidates, and only those are compared exactly.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.vectors import DIMENSIONS, LEG_BYTES, LEGS, RECORD

Floats = NDArray[np.float32]
Slots = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_EXACT = 4000
"""Up to so many records all are compared exactly; of more, so many and one in `_SHARE`."""
_SHARE = 12
"""Measured for vectors without any structure, the hardest to sort out; those of texts need far fewer."""
_SAMPLE = 2000
_BLOCK = 16384
_TICK_NS = 1_000_000_000
_MAPPED = 32 << 20
"""Of a longer file no page stays counted as this process's memory between searches."""
_WORDS = DIMENSIONS // 64
_PLANES = 3
_FAR = np.iinfo(np.uint16).max


def record(vectors: Sequence[Floats | None]) -> bytes:
    """One record of a text's vectors, in the order of the legs; a leg that is None becomes zeros."""
    return b"".join(_leg(vector) for vector in vectors)


def _leg(vector: Floats | None) -> bytes:
    if vector is None:
        return bytes(LEG_BYTES)
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not 0 < length < float("inf"):
        return bytes(LEG_BYTES)
    unit = vector.astype(np.float64) / length
    step = float(np.abs(unit).max()) / 127
    return struct.pack("<f", step) + bytes(np.rint(unit / step).astype(np.int8).data)


def restored(data: bytes, leg: int) -> Floats:
    """The vector of one leg as a record has it."""
    part = data[leg * LEG_BYTES : (leg + 1) * LEG_BYTES]
    vector: Floats = np.frombuffer(part[4:], np.int8) * np.float32(struct.unpack("<f", part[:4])[0])
    return vector


class Records:
    """One file of records, seen as it is now: it may grow, shrink, be replaced, and slots may be emptied or filled."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._written = 0
        self._mapped: mmap.mmap | None = None
        self._rows: Bytes = np.zeros((0, RECORD), np.uint8)
        self._legs = [_LegIndex(place) for place in range(len(LEGS))]

    def nearest(self, query: Sequence[Floats | None], *, limit: int, among: Sequence[int] = ()) -> list[dict[str, Any]]:
        """What each `vectors.Leg` holds, given the query's vectors by the models. Raises OSError.

        The scores of the slots in `among` are an array in their order, NaN for an empty slot.
        """
        self._look()
        found = [
            leg.nearest(vector, limit=limit, among=among)
            if vector is not None and np.isfinite(vector).all()
            else {"count": 0}
            for leg, vector in zip(self._legs, query, strict=True)
        ]
        if self._mapped is not None and len(self._mapped) > _MAPPED:
            self._mapped.madvise(mmap.MADV_DONTNEED)
        return found

    def _look(self) -> None:
        """Map the file as long as it is now, and see what changed in it. Raises OSError."""
        descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            count = status.st_size // RECORD
            seen, written = (status.st_dev, status.st_ino, count), status.st_mtime_ns
            if seen == self._seen and written == self._written:
                return
            # A file that was written just now may be written once more at the same tick of the clock.
            self._written = written if time.time_ns() - written > _TICK_NS else 0
            if seen != self._seen:
                if seen[:2] != self._seen[:2] or count < self._seen[2]:
                    self._legs = [_LegIndex(place) for place in range(len(LEGS))]
                self._mapped = mmap.mmap(descriptor, count * RECORD, prot=mmap.PROT_READ) if count else None
                self._rows = np.frombuffer(self._mapped or b"", np.uint8).reshape(count, RECORD)
                self._seen = seen
        finally:
            os.close(descriptor)
        for leg in self._legs:
            leg.follow(self._rows)


class _LegIndex:
    """One model's vectors in a file: which slots are filled, and on which side of the middle they lie."""

    def __init__(self, place: int) -> None:
        self._from = place * LEG_BYTES
        self._rows: Bytes = np.zeros((0, RECORD), np.uint8)
        self._steps: Floats = np.zeros(0, np.float32)
        self._filled: Slots = np.zeros(0, np.int64)
        self._centre: Floats | None = None
        self._spread: Floats = np.ones(DIMENSIONS, np.float32)
        self._bits: NDArray[np.uint64] = np.zeros((_WORDS, 0), np.uint64)

    def follow(self, rows: Bytes) -> None:
        """See the rows as they are now. A slot with another step than before was written anew."""
        self._rows = rows
        steps = rows[:, self._from : self._from + 4].view("<f4")[:, 0].copy()
        steps[~((steps > 0) & (steps <= 1))] = 0  # no record of ours, or none at all
        known = len(self._steps)
        same = min(known, len(steps))
        changed = np.flatnonzero(steps[:same] != self._steps[:same])
        if not len(changed) and len(steps) == known:
            return
        self._steps = steps
        self._filled = np.flatnonzero(steps)
        if len(self._filled) <= _EXACT:
            self._centre = None
            return
        if self._centre is None:
            self._middle()
            changed, same = np.zeros(0, np.int64), 0
        if self._bits.shape[1] < len(steps):
            bits = np.zeros((_WORDS, len(steps) + len(steps) // 8), np.uint64)
            bits[:, : self._bits.shape[1]] = self._bits
            self._bits = bits
        self._sign(np.concatenate((changed, np.arange(same, len(steps)))))

    def nearest(self, query: Floats, *, limit: int, among: Sequence[int]) -> dict[str, Any]:
        if not len(self._filled):
            return {"count": 0}
        query = query / np.linalg.norm(query)
        slots = self._candidates(query, limit)
        scores = self._scores(slots, query)
        sample = self._filled
        if len(sample) > _EXACT:
            sample = sample[np.random.default_rng(0).integers(0, len(sample), _SAMPLE)]
            sampled = self._scores(sample, query)
        else:
            sampled = scores
        order = np.lexsort((slots, -scores))[:limit]
        return {
            "count": len(self._filled),
            "mean": float(sampled.mean()),
            "deviation": float(sampled.std()),
            "best": self._hits(slots[order], scores[order], query),
            "among": self._asked(np.array(among, np.int64), query),
        }

    def _hits(self, slots: Slots, scores: Floats, query: Floats) -> list[dict[str, Any]]:
        beside = self._told(np.concatenate((slots - 1, slots + 1)), query)
        return [
            {"slot": slot, "score": score, "before": beside.get(slot - 1), "after": beside.get(slot + 1)}
            for slot, score in zip(slots.tolist(), scores.tolist(), strict=True)
        ]

    def _asked(self, slots: Slots, query: Floats) -> Floats:
        """The cosine of each slot, in their order; NaN for an empty one."""
        found = np.full(len(slots), np.nan, np.float32)
        there = (slots >= 0) & (slots < len(self._steps))
        there[there] = self._steps[slots[there]] != 0
        found[there] = self._scores(slots[there], query)
        return found

    def _told(self, slots: Slots, query: Floats) -> dict[int, float]:
        slots = np.unique(slots[(slots >= 0) & (slots < len(self._steps))])
        slots = slots[self._steps[slots] != 0]
        return dict(zip(slots.tolist(), self._scores(slots, query).tolist(), strict=True))

    def _scores(self, slots: Slots, query: Floats) -> Floats:
        """The exact cosines."""
        found = np.empty(len(slots), np.float32)
        for start in range(0, len(slots), _BLOCK // 4):
            part = slots[start : start + _BLOCK // 4]
            found[start : start + len(part)] = self._numbers(part) @ query
        return found * self._steps[slots]

    def _numbers(self, slots: Slots) -> Floats:
        numbers: Floats = self._rows[slots, self._from + 4 : self._from + LEG_BYTES].view(np.int8).astype(np.float32)
        return numbers

    def _middle(self) -> None:
        """Where the middle is and how far vectors lie from it, by dimension, of a fixed sample."""
        slots = self._filled[np.random.default_rng(1).integers(0, len(self._filled), _SAMPLE)]
        vectors = self._numbers(slots) * self._steps[slots][:, None]
        self._centre = vectors.mean(0)
        self._spread = np.abs(vectors - self._centre).mean(0)

    def _sign(self, slots: Slots) -> None:
        assert self._centre is not None
        for start in range(0, len(slots), _BLOCK // 4):
            part = slots[start : start + _BLOCK // 4]
            above = self._numbers(part) * self._steps[part][:, None] > self._centre
            self._bits[:, part] = np.packbits(above, axis=1).view(np.uint64).T

    def _candidates(self, query: Floats, limit: int) -> Slots:
        """The slots worth an exact look: those with the least weight of dimensions on the wrong side."""
        if self._centre is None:
            return self._filled
        count = len(self._steps)
        wanted = max(_EXACT + count // _SHARE, limit)
        if wanted >= len(self._filled):
            return self._filled
        weight = query * self._spread
        side = np.packbits(weight > 0).view(np.uint64)
        unit = max(float(np.abs(weight).mean()), 1e-12) / 3
        amount = np.minimum(np.abs(weight) / unit, 2**_PLANES - 1).round().astype(np.uint8)
        planes = [np.packbits(amount >> place & 1).view(np.uint64) for place in range(_PLANES)]
        cost = np.zeros(count, np.uint16)
        for start in range(0, count, _BLOCK):
            stop = min(start + _BLOCK, count)
            for word in range(_WORDS):
                wrong = self._bits[word, start:stop] ^ side[word]
                for place in range(_PLANES):
                    ones = np.bitwise_count(wrong & planes[place][word])
                    cost[start:stop] += np.left_shift(ones, place, dtype=np.uint16)
        cost[self._steps == 0] = _FAR
        return np.argpartition(cost, wanted)[:wanted]
