"""The catalogues: both languages say the same things, with the same placeholders."""

from __future__ import annotations

import re
import string
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from assistant.errors import ConfigError, NotFound
from assistant.locale import Catalogue
from assistant.locale.catalogue import flatten, read
from assistant.resources import bundled

PLURALS = re.compile(r"\.(?:zero|one|two|few|many|other)$")


def pairs() -> list[tuple[Path, Path]]:
    import assistant.locale

    own = Path(assistant.locale.__file__).parent
    files = [(file, own / "zh" / file.name) for file in sorted((own / "en").glob("*.yaml"))]
    skills = [(folder / "en.yaml", folder / "zh.yaml") for folder in sorted(bundled("skills").glob("*/locale"))]
    return files + skills


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize(("english", "chinese"), pairs(), ids=lambda file: f"{file.parent.parent.name}/{file.name}")
def test_both_languages_have_the_same_keys_and_placeholders(english: Path, chinese: Path) -> None:
    en, zh = flatten(read(english)), flatten(read(chinese))
    assert {PLURALS.sub("", key) for key in en} == {PLURALS.sub("", key) for key in zh}
    for key, text in zh.items():
        base = en.get(key) or en.get(PLURALS.sub(".other", key)) or en[PLURALS.sub("", key)]
        assert fields(text) - {"count"} == fields(base) - {"count"}, key


def test_chinese_texts_are_chinese() -> None:
    for _, file in pairs():
        texts = flatten(read(file))
        chinese = sum(bool(re.search(r"[一-鿿]", text)) for text in texts.values())
        assert chinese >= 0.8 * len(texts), file


def test_dates_money_and_lists_follow_the_language() -> None:
    catalogue = Catalogue()
    catalogue._texts["en"]["t"] = "{day} {at:time} {sum:EUR} {many} {long}"
    catalogue._texts["zh"]["t"] = catalogue._texts["en"]["t"]
    data = {
        "day": date(2026, 11, 23),
        "at": datetime(2026, 11, 23, 15, 30, tzinfo=UTC),
        "sum": Decimal("1234.5"),
        "many": ["a", "b"],
        "long": timedelta(hours=2),
    }
    assert catalogue.text("en", "t", **data) == "Monday, 23 November 2026 15:30 €1,234.50 a, b 2 hours"
    assert catalogue.text("zh", "t", **data) == "2026年11月23日星期一 15:30 €1,234.50 a、b 2小时"


def test_an_error_gives_sentence_and_mend_in_both_languages() -> None:
    catalogue = Catalogue()
    error = ConfigError("config.unknown_key", file="f", line=3, key="k", guess="g")
    assert catalogue.explain(error, "en") == (
        "f, line 3: there is no setting called k.",
        "Did you mean g? `assistant config show` lists all settings.",
    )
    assert "第 3 行" in catalogue.explain(error, "zh")[0]


def test_an_unknown_code_falls_back_to_its_kind() -> None:
    assert Catalogue().explain(NotFound("nowhere.code", what="the key"), "en")[0] == "I can't find the key."


def test_a_missing_value_stays_visible() -> None:
    assert "{key}" in Catalogue().text("en", "error.config.invalid", file="f", line=1, problem="p")
