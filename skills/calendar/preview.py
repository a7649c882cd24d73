"""A deed as it is shown before a yes: when, where, who takes part, and each mail that leaves with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assistant.skillkit import Context, Origin, Prepared, PreviewField

from .acts import Act
from .letters import Mailed
from .people import Invited


def prepared(
    ctx: Context,
    acts: Sequence[Act],
    uid: str,
    heading: str,
    when: str,
    people: Sequence[Invited],
    mailed: Mailed,
    *,
    location: str = "",
    warnings: Sequence[str] = (),
    sources: Sequence[tuple[str, str, Origin]] = (),
    answer: dict[str, Any] | None = None,
) -> Prepared:
    """All that will happen. `warnings` come first in its text; `sources` are further lines (name, value, origin)."""
    fields = [PreviewField(name=ctx.text("calendar.field_when"), value=when)]
    if location:
        fields.append(PreviewField(name=ctx.text("calendar.field_where"), value=location))
    name = ctx.text("calendar.field_people")
    fields += [PreviewField(name=name, value=one.shown, origin=one.origin) for one in people]
    fields += [PreviewField(name=name, value=value, origin=origin) for name, value, origin in sources]
    if mailed.letters:
        fields.append(PreviewField(name=ctx.text("calendar.field_from"), value=mailed.sender))
        name = ctx.text("calendar.field_mailed")
        fields += [PreviewField(name=name, value=one) for one in mailed.recipients]
    elif people:
        fields.append(PreviewField(name=ctx.text("calendar.field_invitations"), value=ctx.text("calendar.not_mailed")))
    body = "\n\n".join(part for part in ("\n".join(warnings), mailed.text) if part)
    payload: dict[str, Any] = {"uid": uid, "files": [act.payload() for act in acts], "letters": list(mailed.letters)}
    if answer is not None:
        payload["answer"] = answer
    return Prepared(title=heading, fields=tuple(fields), body=body, payload=payload)
