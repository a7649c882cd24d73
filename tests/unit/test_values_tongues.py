"""Times in German, French, Spanish and Japanese: a table for each language, and what holds for any text."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_values_times import read, table  # noqa: E402

LANGUAGES = ("de", "fr")


@pytest.mark.parametrize(
    ("phrase", "meaning"),
    [row for language in LANGUAGES for row in table(f"values_{language}.yaml")],
)
def test_expressions_mean_what_they_say(phrase: str, meaning: str) -> None:
    assert read(phrase) == meaning
