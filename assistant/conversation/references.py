"""Values that come from an earlier call's result: `{"$from": N, "field": F}` becomes what that result holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assistant.errors import AskAgain, NotFound
from assistant.models import Observation
from assistant.skillkit.loader import Tool

_CHOICES = 6


def refers(value: Any) -> bool:
    """Whether the value of an argument stands for one that an earlier call gives."""
    return isinstance(value, dict) and "$from" in value


def resolved(tool: Tool, name: str, value: Any, seen: Sequence[Observation]) -> Any:
    """`{"$from": N, "field": F}` → that field of the items call N found; all of them where a list is wanted.

    With `"max": G` or `"min": G` that of the one item whose field G is largest or smallest. Raises NotFound, AskAgain.
    """
    if not refers(value):
        return value
    result = seen[value["$from"]]
    items: Sequence[dict[str, Any]] = (result.data or {}).get("items", [])
    items = _picked([item for item in items if value["field"] in item], value)
    found = [item[value["field"]] for item in items]
    if not found:
        raise NotFound("conversation.nothing_found", what=result.text)
    if tool.schema.argument(name).many:
        return found
    if len(set(map(str, found))) > 1 and tool.declaration.effect != "read":
        choices = [str(item.get("label") or item.get("subject") or item.get("title") or "") for item in items]
        raise AskAgain("conversation.which_one", missing=(name,), choices=[one for one in choices if one][:_CHOICES])
    return found[0]


def _picked(items: Sequence[dict[str, Any]], reference: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """The largest or smallest of the items, where the reference says by which field. Code picks, not a model."""
    for word, pick in (("max", max), ("min", min)):
        if by := reference.get(word):
            comparable = [item for item in items if isinstance(item.get(by), int | float | str)]
            kinds = {isinstance(item[by], str) for item in comparable}
            return [pick(comparable, key=lambda item: item[by])] if len(kinds) == 1 else ()
    return items
