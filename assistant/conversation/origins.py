"""Where each argument came from: the user's words, the profile, a contact, a tool, or other people's words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from assistant.models import Label, Observation, Origin, UserContext, join


def of_arguments(
    args: Mapping[str, Any],
    raw: Mapping[str, Any],
    said: str,
    user: UserContext,
    observations: Sequence[Observation],
    ids: Collection[str],
) -> dict[str, Origin]:
    """The origin of each of `args`; `raw` are the same arguments before references were resolved.

    `ids` are arguments that our own index gave (a message's id); any other value from a result is what was read.
    """
    origins = {}
    for name, value in args.items():
        reference = raw.get(name)
        if isinstance(reference, dict) and "$from" in reference:
            seen = observations[reference["$from"]]
            origins[name] = Origin(label=Label.TOOL, source=seen.tool) if name in ids else seen.origin
        else:
            origins[name] = _origin(value, said, user)
    return origins


def _origin(value: Any, said: str, user: UserContext) -> Origin:
    if isinstance(value, list):
        return join(_origin(one, said, user) for one in value)
    text = str(value).casefold()
    if text in said.casefold():
        return Origin(label=Label.USER)
    for person in user.contacts:
        if text in {str(known).casefold() for known in (person.name, *person.aliases, person.email, person.iban)}:
            return Origin(label=Label.CONTACT, source=person.name)
    if text and text in {user.name.casefold(), user.email.casefold(), user.home.casefold()}:
        return Origin(label=Label.PROFILE)
    return Origin(label=Label.UNTRUSTED, source="model")  # its words may repeat what it read, in this turn or before
