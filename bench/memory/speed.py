"""How long a recall takes with 20,000 and 200,000 facts, and what they cost the daemon in memory.

Texts are made up from a vocabulary with the frequencies of real ones (Zipf), vectors without any structure, which are
the hardest to sort out. All that the daemon does for a recall runs in this process on one thread; the embedding models
run in their worker, as they do for the daemon.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

from assistant.engine.similarity import record
from assistant.knowledge import Statement
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook
from assistant.memory.keeper import KeptProfile
from assistant.memory.kinds import kinds
from assistant.memory.vectors import VectorFiles
from assistant.store import open_database, transaction
from assistant.vectors import DIMENSIONS, LEGS
from bench.form import median, percentile
from bench.memory.home import NOW, Workshop
from bench.memory.recalling import Figures

SIZES = (20_000, 200_000)
FIGURES = ("recall_p95_ms_20k", "recall_p95_ms_200k", "embed_p95_ms_20k", "embed_p95_ms_200k")
_QUERIES = 100
_WARM = 10
_SEED = 20261123
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "li", "me", "no", "pra", "ri", "sto", "ta", "ven", "wu", "zor")
_KNOWN = 12_000
"""Words of the vocabulary: those that a person uses."""
_HAN = range(0x4E00, 0x4E00 + 2_500)
_COMMON = "i my the a is of in at we like have never usually on with for and to".split()
_BATCH = 2_000
_PREDICATES = ("likes", "usually", "said", "wish", "prefers")


async def measured(shop: Workshop, _most: int = 0) -> Figures:
    """p95 of a recall (ms), alone and with its question's vectors, and what the daemon grew by (MB), by size."""
    figures: Figures = {}
    for size in SIZES:
        name = f"{size // 1000}k"
        with shop.home() as home:
            with ProcessPoolExecutor(1, get_context("spawn")) as other:  # what filling takes is not the daemon's
                texts = other.submit(fill, home.folder, shop.models.version, size).result()
            before = _rss_mb()
            whole, alone = await _asked(home.profile, _questions(texts))
            figures |= {
                f"recall_p50_ms_{name}": median(alone),
                f"recall_p95_ms_{name}": percentile(alone, 0.95),
                f"embed_p95_ms_{name}": percentile(whole, 0.95),
                f"recall_rss_mb_{name}": round(_rss_mb() - before, 1),
                f"recall_worker_mb_{name}": round((await shop.models.stats())["rss"] / 2**20, 1),
            }
    return figures


def _rss_mb() -> float:
    """Resident memory of this process alone."""
    return float(psutil.Process().memory_info().rss / 2**20)


async def _asked(profile: KeptProfile, questions: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of each question, asked anew, and asked again, when its vectors are known."""
    whole, alone = [], []
    for number, question in enumerate(questions):
        times = []
        for _ in range(2):
            began = time.perf_counter()
            await profile.recall(question)
            times.append((time.perf_counter() - began) * 1000)
        if number >= _WARM:
            whole.append(times[0])
            alone.append(times[1])
    return whole, alone


def fill(folder: Path, version: str, size: int) -> list[str]:
    """Keep so many facts in the profile of a folder, each with its words and their vectors; some of the texts."""
    db = open_database(folder / "assistant.db")
    rng = random.Random(_SEED)
    vectors, rows = np.random.default_rng(_SEED), VectorFiles(folder / "profile")
    evidence, facts = EvidenceBook(db), FactBook(db, kinds())
    made, texts = _texts(rng), []
    for start in range(0, size, _BATCH):
        batch = [next(made) for _ in range(min(_BATCH, size - start))]
        records = []
        with transaction(db):
            for place, (text, language) in enumerate(batch, start):
                at = NOW - timedelta(minutes=size - place)
                number = evidence.append(
                    text, source=f"turn:{place}", origin="said", language=language, at=at, thread=str(place // 20)
                )
                assert number is not None
                said = Statement(predicate=rng.choice(_PREDICATES), value=text, text=text, language=language)
                facts.state(said, evidence=number, origin="said", at=at, now=at, batch=f"turn:{place}")
                legs = vectors.standard_normal((len(LEGS), DIMENSIONS), np.float32)
                records.append((number, text, record(list(legs))))
        rows.write(version, records)
        texts += [text for text, _ in batch[:: max(_BATCH // 40, 1)]]
    db.close()
    return texts


def _texts(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Sentences of five to twenty words, four in five of them in Latin letters; with their language."""
    words = sorted({"".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))) for _ in range(2 * _KNOWN)})
    rng.shuffle(words)
    words = words[:_KNOWN]
    frequent = [1 / (rank + 10) for rank in range(len(words))]
    han = [chr(point) for point in _HAN]
    common = [1 / (rank + 10) for rank in range(len(han))]
    while True:
        if rng.random() < 0.2:
            yield "我" + "".join(rng.choices(han, common, k=rng.randint(6, 25))), "zh"
        else:
            content = rng.choices(words, frequent, k=rng.randint(3, 10))
            mixed = [word for one in content for word in (rng.choice(_COMMON), one)]
            yield " ".join(mixed), "en"


def _questions(texts: list[str]) -> list[str]:
    """Questions with a few of the words of a text."""
    rng = random.Random(_SEED + 1)
    asked = []
    for text in rng.choices(texts, k=_QUERIES + _WARM):
        if " " in text:
            content = [word for word in text.split() if word not in _COMMON]
            asked.append("what did I say about " + " ".join(rng.sample(content, min(3, len(content)))) + "?")
        else:
            start = rng.randrange(max(len(text) - 5, 1))
            asked.append(f"我说过{text[start : start + 5]}吗？")
    return asked
