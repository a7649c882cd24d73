"""Who the user is and whom they know, from `profile.yaml`. Learns nothing; that is for the profile store to come."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assistant.errors import ConfigError
from assistant.models import UserContext


class UserFile:
    """Adapter of `ports.Users`: reads the file again when it has changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._user = UserContext()

    def current(self) -> UserContext:
        """The user's context; empty without a file. Raises ConfigError naming file and key."""
        try:
            status = self._file.stat()
        except OSError:
            return UserContext()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._user = read_user(self._file)
            self._stamp = stamp
        return self._user


def read_user(file: Path) -> UserContext:
    """Read a `profile.yaml`. Raises ConfigError."""
    try:
        tree = YAML(typ="safe").load(file.read_text(encoding="utf-8")) or {}
        return user_context(tree)
    except OSError as error:
        raise ConfigError("config.unreadable", file=str(file), problem=error.strerror or str(error)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("config.not_yaml", file=str(file), problem=" ".join(str(error).split())) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError("config.invalid", file=str(file), line=0, key=key, problem=first["msg"]) from error


def user_context(tree: dict[str, object]) -> UserContext:
    """A `UserContext` from a mapping whose user may be nested under `user:` (the form of evaluation contexts)."""
    flat = dict(tree)
    nested = flat.pop("user", {})
    flat.pop("now", None)
    return UserContext.model_validate({**flat, **(nested if isinstance(nested, dict) else {})})
