"""Who the user is and whom they know: `profile.yaml` and the vCards. Learns nothing; that is for the profile store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assistant.errors import ConfigError
from assistant.memory.contacts import ContactsFolder, merged
from assistant.models import UserContext


class UserFile:
    """Adapter of `ports.Users`: reads the files again when they have changed.

    `contacts` tells the folders of the user's vCards; their people are known beside those of the file. `emails` are the
    addresses of the user's accounts: the first is theirs where the file names none.
    """

    def __init__(self, file: Path, contacts: Callable[[], Sequence[Path]] = tuple, emails: Sequence[str] = ()) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._own = UserContext()
        self._contacts = ContactsFolder(contacts)
        self._emails = tuple(emails)
        self._whole: tuple[object, object, UserContext] | None = None

    def current(self) -> UserContext:
        """The user's context; without a file the contacts alone. Raises ConfigError naming file and key."""
        own, people = self._read(), self._contacts.people()
        if self._whole is None or self._whole[0] is not own or self._whole[1] is not people:
            known: dict[str, object] = {"contacts": merged(own.contacts, people)} if people else {}
            if self._emails:
                known |= {"email": own.email or self._emails[0], "more_emails": self._emails}
            self._whole = (own, people, own.model_copy(update=known) if known else own)
        return self._whole[2]

    def _read(self) -> UserContext:
        try:
            status = self._file.stat()
        except OSError:
            self._stamp = None
            self._own = UserContext() if self._own != UserContext() else self._own
            return self._own
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._own = read_user(self._file)
            self._stamp = stamp
        return self._own


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
