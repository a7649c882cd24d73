"""Who speaks, as the server knows it, and what that allows. Nothing a client says of itself raises it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from assistant.errors import PolicyDenied

if TYPE_CHECKING:
    from assistant.safety.tokens import Scope

_DEFAULT = "default"


@dataclass(frozen=True)
class Caller:
    """The bearer of a credential; the person has no name."""

    scope: Scope
    name: str = ""

    @property
    def is_person(self) -> bool:
        """Whether a yes given here is a person's."""
        return self.scope == "person"

    def session(self, wanted: str) -> str:
        """The conversation that is meant: a program has its own, and names below it. Raises PolicyDenied."""
        if self.is_person:
            return wanted
        own = f"program:{self.name}"
        if wanted == _DEFAULT:
            return own
        if not self.owns(wanted):
            raise PolicyDenied("server.other_session", what=wanted, own=own)
        return wanted

    def owns(self, session: str) -> bool:
        """Whether the conversation may be read and stopped."""
        own = f"program:{self.name}"
        return self.is_person or session == own or session.startswith(f"{own}:")


PERSON = Caller("person")


def caller(connection: HTTPConnection) -> Caller:
    """Who the guard found to be speaking. Raises PolicyDenied where no guard stood before."""
    found = connection.scope.get("state", {}).get("caller")
    if not isinstance(found, Caller):
        raise PolicyDenied("server.scope")
    return found
