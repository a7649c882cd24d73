"""A skill's settings: the user's values against the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.errors import ConfigError
from assistant.locale.catalogue import LANGUAGES, Catalogue
from assistant.skillkit.manifest import Manifest
from assistant.skillkit.settings import check

CATALOGUE = Catalogue()
TYPES = ("str", "int", "float", "bool", "path", "list", "secret")
MANIFEST = Manifest.model_validate(
    {
        "name": "demo",
        "version": "1",
        "api": 1,
        "description": {},
        "tools": {},
        "settings": {
            **{f"a_{kind}": {"type": kind, "description": {}} for kind in TYPES},
            "limit": {"type": "int", "default": 10, "description": {}},
            "folder": {"type": "path", "default": "~/Mail", "description": {}},
        },
    }
)


def test_what_is_not_set_has_its_default_and_paths_are_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = check(MANIFEST, {"limit": None})
    assert settings["limit"] == 10
    assert settings["folder"] == tmp_path / "Mail"
    assert settings["a_str"] is None


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("str", "x", "x"),
        ("str", 163, "163"),
        ("int", 3, 3),
        ("float", 3, 3.0),
        ("bool", False, False),
        ("path", "/tmp/x", Path("/tmp/x")),
        ("list", ["a", 1], ["a", 1]),
        ("secret", "mail_password", "mail_password"),
    ],
)
def test_the_users_values_are_taken(kind: str, value: Any, expected: Any) -> None:
    assert check(MANIFEST, {f"a_{kind}": value})[f"a_{kind}"] == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("str", ["x"]),
        ("str", True),
        ("int", "3"),
        ("int", True),
        ("int", 3.5),
        ("float", float("nan")),
        ("float", "3"),
        ("bool", "yes"),
        ("path", "Mail"),
        ("path", ""),
        ("path", "~nobody-of-this-name/x"),
        ("list", "a, b"),
        ("list", [["a"]]),
        ("secret", "p@ss word!"),
        ("secret", 1234),
    ],
)
def test_an_ill_typed_value_is_refused_with_its_key_and_the_mend(kind: str, value: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        check(MANIFEST, {f"a_{kind}": value})
    assert refused.value.code == f"skillkit.setting_{kind}"
    for language in LANGUAGES:
        assert f"skills.demo.settings.a_{kind}" in CATALOGUE.explain(refused.value, language)[0]


def test_a_secret_written_where_its_name_belongs_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        check(MANIFEST, {"a_secret": "hunter2 hunter2"})
    assert "hunter2" not in str(refused.value) + " ".join(CATALOGUE.explain(refused.value, "en"))


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError) as refused:
        check(MANIFEST, {"limits": 3})
    message, mend = CATALOGUE.explain(refused.value, "en")
    assert "skills.demo.settings.limits" in message
    assert "Did you mean limit?" in mend


def test_a_skill_without_settings_takes_none() -> None:
    with pytest.raises(ConfigError) as refused:
        check(MANIFEST.model_copy(update={"settings": {}}), {"x": 1})
    assert refused.value.code == "skillkit.setting_none"
