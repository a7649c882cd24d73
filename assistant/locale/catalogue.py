"""Sentences for people, by language and key. Knows no part of the program: parts know their keys.

The program's own sentences lie in `assistant/locale/<language>/*.yaml`, a file per part; a skill brings
`locale/<language>.yaml`, whose keys are put below the skill's name.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal
from ruamel.yaml import YAML

from assistant.concealed import without_known
from assistant.errors import AssistantError
from assistant.kept import Kept
from assistant.models import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Catalogue:
    """All sentences that are loaded now."""

    def __init__(self, kept: Kept | None = None) -> None:
        self._kept = kept or Kept()
        self._texts: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
        for language in LANGUAGES:
            files = sorted((Path(__file__).parent / language).glob("*.yaml"))
            self._texts[language].update(self._read(f"texts.{language}", files))

    def add(self, prefix: str, folder: Path) -> None:
        """Load a skill's `folder/<language>.yaml` below `prefix`; its `error` part explains its errors."""
        for language in LANGUAGES:
            file = folder / f"{language}.yaml"
            if file.exists():
                texts = self._read(f"texts.{prefix}.{language}", [file]).items()
                self._texts[language].update({_below(prefix, key): text for key, text in texts})

    def _read(self, name: str, files: Sequence[Path]) -> dict[str, str]:
        texts = [file.read_text(encoding="utf-8") for file in files]
        flat: dict[str, str] = self._kept.of(
            name, texts, lambda: {key: text for file in files for key, text in flatten(read(file)).items()}
        )
        return flat

    def keys(self, language: Language) -> set[str]:
        """All keys of a language, plural forms included."""
        return set(self._texts[language])

    def has(self, key: str) -> bool:
        """Whether `key` is known (English has every key)."""
        return key in self._texts["en"] or f"{key}.other" in self._texts["en"]

    def text(self, language: str, key: str, /, **data: Any) -> str:
        """The sentence of `key`, its placeholders filled the locale's way. With `count`, the fitting plural form.

        Placeholders: `{name}`; dates and times `{when}` or with a babel format `{when:short}`, `{when:time}`,
        `{when:day}`; money `{amount:EUR}`; a name that differs by language comes as a mapping. Raises KeyError for a
        key that no catalogue has.
        """
        language = language if language in self._texts else "en"
        for tongue in dict.fromkeys((language, "en")):
            texts = self._texts[tongue]
            if "count" in data:
                form = f"{key}.{locale(tongue).plural_form(data['count'])}"
                sentence = texts.get(form) or texts.get(f"{key}.other")
                if sentence is not None:
                    return _Formatter(tongue).vformat(sentence, (), data)
            if key in texts:
                return _Formatter(tongue).vformat(texts[key], (), data)
        raise KeyError(key)

    def explain(self, error: AssistantError, language: str) -> tuple[str, str]:
        """The sentence and the mend (may be empty) of an error, without secrets."""
        key = f"error.{error.code}"
        if not self.has(key):
            key = f"error.{error.default_code}"
        message = self.text(language, key, **error.data)
        mend = self.text(language, f"{key}_mend", **error.data) if self.has(f"{key}_mend") else ""
        return without_known(message), without_known(mend)  # the other side's words may quote what it was sent


def _below(prefix: str, key: str) -> str:
    first, _, rest = key.partition(".")
    return f"error.{prefix}.{rest}" if first == "error" else f"{prefix}.{key}"


def read(file: Path) -> Mapping[str, Any]:
    """A YAML file's mapping; empty for an empty file."""
    return YAML(typ="safe", plug_ins=[]).load(file.read_text(encoding="utf-8")) or {}


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested keys joined by dots."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = str(value)
    return flat


@cache
def locale(language: str) -> Locale:
    """Babel's locale of a catalogue language. English follows the ISO-like order most of the world reads (en_GB)."""
    return Locale.parse("zh_Hans_CN" if language == "zh" else "en_GB")


class _Formatter(string.Formatter):
    """`str.format` that writes dates, numbers, money and lists as the language does; a missing value stays visible."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._locale = locale(language)
        self._comma = "、" if language == "zh" else ", "

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), f"{{{key}}}")

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, datetime):
            return self._moment(value, format_spec)
        if isinstance(value, date):
            return format_date(value, format_spec or "full", locale=self._locale)
        if isinstance(value, time):
            return format_time(value, format_spec or "short", locale=self._locale)
        if isinstance(value, timedelta):
            return format_timedelta(value, threshold=1.6, locale=self._locale)
        if isinstance(value, Decimal):
            if format_spec:
                return str(format_currency(value, format_spec, locale=self._locale))
            return str(format_decimal(value, locale=self._locale))
        if isinstance(value, Mapping):
            value = value.get(self._language, value.get("en", ""))
        if isinstance(value, list | tuple):
            return self._comma.join(str(item) for item in value)
        return str(super().format_field(value, format_spec))

    def _moment(self, value: datetime, style: str) -> str:
        if style == "time":
            return format_time(value, "short", locale=self._locale)
        if style == "day":
            return format_date(value, "full", locale=self._locale)
        return format_datetime(value, style or "medium", locale=self._locale)
