"""Where each argument came from: the user's words, the profile, a contact, a tool, or other people's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.models import Label, Observation, Origin, UserContext, join


def of_arguments(
    args: Mapping[str, Any],
    raw: Mapping[str, Any],
    said: str,
    user: UserContext,
    observations: Sequence[Observation],
) -> dict[str, Origin]:
    """The origin of each of `args`; `raw` are the same arguments before references were resolved."""
    return {name: _origin(value, raw.get(name), said, user, observations) for name, value in args.items()}


def _origin(value: Any, raw: Any, said: str, user: UserContext, observations: Sequence[Observation]) -> Origin:
    if isinstance(raw, dict) and "$from" in raw:
        seen = observations[raw["$from"]]
        return Origin(label=Label.TOOL, source=seen.tool)
    if isinstance(value, list):
        return join(_origin(one, None, said, user, observations) for one in value)
    text = str(value).casefold()
    if text in said.casefold():
        return Origin(label=Label.USER)
    for person in user.contacts:
        if text in {str(known).casefold() for known in (person.name, *person.aliases, person.email, person.iban)}:
            return Origin(label=Label.CONTACT, source=person.name)
    if text and text in {user.name.casefold(), user.email.casefold(), user.home.casefold()}:
        return Origin(label=Label.PROFILE)
    outside = [seen.origin for seen in observations if seen.origin.label is Label.UNTRUSTED]
    return join(outside) if outside else Origin(label=Label.USER)
