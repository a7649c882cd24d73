"""A skill's settings: what its manifest declares and what the user set, made one checked mapping.

Secrets are never here: a setting of type `secret` holds the name under which the secret is kept.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.errors import ConfigError
from assistant.skillkit.manifest import Manifest, Setting

_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_.@/-]{0,99}")


def check(manifest: Manifest, given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of the manifest: the user's value, else the default, else None; paths are absolute `Path`s.

    Raises ConfigError naming the key (`skills.<name>.settings.<key>`) and the mend.
    """
    for key in given:
        if key not in manifest.settings:
            raise _unknown(manifest, str(key))
    return {key: _value(manifest, key, setting, given) for key, setting in manifest.settings.items()}


def _unknown(manifest: Manifest, key: str) -> ConfigError:
    known = list(manifest.settings)
    where = f"skills.{manifest.name}.settings.{key}"
    if not known:
        return ConfigError("skillkit.setting_none", key=where, skill=manifest.name)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    guess = (close or known)[0]
    return ConfigError("skillkit.setting_unknown", key=where, skill=manifest.name, guess=guess, known=known)


def _value(manifest: Manifest, key: str, setting: Setting, given: Mapping[str, Any]) -> Any:
    value = given.get(key)
    if value is None:
        value = setting.default
    if value is None:
        return None
    try:
        return _READERS[setting.type](value)
    except (ValueError, RuntimeError):
        where = f"skills.{manifest.name}.settings.{key}"
        # What was written where a secret's name belongs may be the secret itself: it is not repeated.
        shown = "" if setting.type == "secret" else str(value)[:80]
        raise ConfigError(f"skillkit.setting_{setting.type}", key=where, value=shown) from None


def _str(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(value)
    return str(value)


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(value)
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise ValueError(value)
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise ValueError(value)
    return path


def _list(value: Any) -> list[str | int | float | bool]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str | int | float) for one in value):
        raise ValueError(value)
    return list(value)


def _secret(value: Any) -> str:
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise ValueError("a secret's value does not belong here")
    return value


_READERS = {
    "str": _str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "path": _path,
    "list": _list,
    "secret": _secret,
}
