"""A file that says who the user is: `profile.yaml`, or for `--context` the same with `now`. Bad files are explained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assistant.errors import ConfigError
from assistant.memory.users import user_context
from assistant.models import UserContext


def read_user(file: Path) -> tuple[UserContext, datetime | None]:
    """The user and, where the file fixes one, the moment. Raises ConfigError naming file, key and problem; OSError."""
    return parse_user(file.read_bytes(), str(file))


def parse_user(raw: bytes, file: str) -> tuple[UserContext, datetime | None]:
    """As `read_user`, from the file's bytes (YAML or JSON, UTF-8)."""
    try:
        tree = YAML(typ="safe").load(raw.decode("utf-8-sig"))
    except (YAMLError, ValueError) as error:
        raise ConfigError("config.not_yaml", file=file, problem=" ".join(str(error).split())[:300]) from error
    if not isinstance(tree, Mapping):
        raise ConfigError("config.not_yaml", file=file, problem="a list of `key: value` lines is expected")
    flat: dict[str, Any] = {str(key): value for key, value in tree.items() if value is not None}
    try:
        context = user_context(flat)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError("config.invalid", file=file, line=_line(raw, key), key=key, problem=first["msg"]) from error
    return context, _moment(flat.get("now"), file)


def _moment(now: Any, file: str) -> datetime | None:
    """YAML reads `2026-11-23T10:00:00` as a moment, and without the seconds as text."""
    if now is None or isinstance(now, datetime):
        return now
    try:
        return datetime.fromisoformat(now.isoformat() if isinstance(now, date) else str(now))
    except ValueError as error:
        raise ConfigError("config.invalid", file=file, line=0, key="now", problem="not an ISO 8601 time") from error


def _line(raw: bytes, key: str) -> int:
    """The line on which the key's first part stands; 0 if it can't be found."""
    first = key.partition(".")[0]
    lines = raw.decode("utf-8-sig", errors="replace").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.lstrip().startswith(f"{first}:")), 0)
