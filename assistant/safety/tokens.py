"""Credentials of programs that speak to the daemon: a name, a scope, and the hash of a token. Knows no wire.

The file holds SHA-256 hashes alone: a token is 256 random bits, so nothing slower is needed. What a credential may do
is what this file says of it, never what its bearer says of itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from assistant.errors import AssistantError
from assistant.models import Value

Scope = Literal["person", "program"]
"""person: everything. program: says turns and reads its own conversations; nobody is there to be asked."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PREFIX = "hearth_"
_BYTES = 32


class Token(Value):
    """One credential, without its secret."""

    name: str
    scope: Scope
    sha256: str
    made_at: datetime


class Tokens:
    """The credentials in one file of the user's (0600). A change counts at once, also in a daemon that runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._known: tuple[Token, ...] = ()

    def all(self) -> tuple[Token, ...]:
        """All of them. Raises AssistantError `tokens.unreadable`: a damaged file lets nobody in."""
        try:
            status = os.stat(self._file)
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                told = json.loads(self._file.read_bytes())
                self._known = tuple(Token.model_validate(one) for one in told)
                self._seen = seen
        except FileNotFoundError:
            self._known, self._seen = (), None
        except (OSError, ValueError, TypeError, ValidationError) as error:
            self._known, self._seen = (), None
            raise AssistantError("tokens.unreadable", file=str(self._file)) from error
        return self._known

    def find(self, given: bytes) -> Token | None:
        """The credential of a token, in a time that tells nothing of how much of it was right."""
        hashed = hashlib.sha256(given).hexdigest()
        found = None
        for one in self.all():
            if hmac.compare_digest(one.sha256, hashed):
                found = one
        return found

    def add(self, name: str, scope: Scope, now: datetime) -> str:
        """Make one; gives the token, which is kept nowhere. Raises AssistantError where the name is bad or taken."""
        if not _NAME.fullmatch(name):
            raise AssistantError("tokens.bad_name", name=name)
        known = self.all()
        if any(one.name == name for one in known):
            raise AssistantError("tokens.taken", name=name)
        token = _PREFIX + secrets.token_urlsafe(_BYTES)
        hashed = hashlib.sha256(token.encode()).hexdigest()
        self._write((*known, Token(name=name, scope=scope, sha256=hashed, made_at=now)))
        return token

    def remove(self, name: str) -> bool:
        """Revoke one; False where there is none of that name."""
        known = self.all()
        left = tuple(one for one in known if one.name != name)
        if len(left) == len(known):
            return False
        self._write(left)
        return True

    def _write(self, tokens: tuple[Token, ...]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w", encoding="utf-8") as out:
            json.dump([one.model_dump(mode="json") for one in tokens], out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self._file)
