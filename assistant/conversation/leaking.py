"""Who gets to read what: whom a call would show what they may not see, and who can read what was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assistant.conversation.work import Work
from assistant.models import Label, Origin
from assistant.safety.provenance import join
from assistant.skillkit.loader import Tool


def leaks(
    tool: Tool, args: dict[str, Any], origins: dict[str, Origin], reached: frozenset[str], work: Work
) -> tuple[str, ...]:
    """Who would get to see what they may not: recipients besides the readers of all that is sent, and web addresses in
    it that nobody named, since whoever opens one tells its host. Of what is only written down: accounts, addresses and
    links that were read, since they would be met again as the user's own."""
    declaration = tool.declaration
    texts = [str(value) for name, value in args.items() if name not in declaration.reaches]
    if declaration.effect == "read" and not (reached or declaration.egress):
        return ()
    if declaration.effect == "write" and not reached:
        return tuple(sorted(work.evidence.planted(texts))) if work.evidence.tainted else ()
    content = [origin for name, origin in origins.items() if name not in declaration.reaches]
    readers = join(content).readers if content else None
    unseen = set[str]() if readers is None else set(reached - set(readers))
    if declaration.egress and any(one.label is Label.PROFILE and one.readers == () for one in content):
        unseen.add(tool.skill)  # who is asked learns it
    hosts = {host for text in texts for host in work.evidence.hosts(text)}
    return tuple(sorted(unseen | hosts))


def readers_of(data: Any, fields: Sequence[str]) -> tuple[str, ...]:
    """Who can read all of the items already; nobody but the user where no field says so."""
    items = (data or {}).get("items", [data] if data else []) if isinstance(data, dict) else []
    each = [
        {str(one).casefold() for name in fields for one in _many(item.get(name))} if isinstance(item, dict) else set()
        for item in items
        if item
    ]
    return tuple(sorted(set.intersection(*each))) if each and fields else ()


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
