"""`summarize`: what came in, newest first. The model on the device condenses, without tools; its words are checked."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from assistant.skillkit import Completion, Context, EngineError, Message, Priority, Result, tool

from .items import headline, item, source, subject, when
from .lookup import Criteria, find
from .mailbox import Entry, Mailbox
from .mailer import invitation_lines
from .parse import Mail
from .people import sender_terms, shown
from .quotes import without_signature
from .stores import current

logger = logging.getLogger(__name__)
Found = Sequence[tuple[Entry, Mail]]

_LOOKED_AT = 60
_CONDENSED = 5
_LISTED = 15
_SHORT = 350  # characters: two mails so short are quicker read than summarised
_LONG = {"en": 400, "zh": 160}
"""Only longer mails are condensed: a small model takes half a minute to say of a short one what its beginning says."""
_PROMPT_TOKENS = 850
_TOKENS_PER_MAIL = 38
_SENTENCE = {"en": 130, "zh": 50}
_LEAST = 8
_NUMBER = re.compile(r"\d+")
_LINK = re.compile(r"https?://|www\.|\S@\S")


@tool
async def summarize(
    ctx: Context, since: date | None = None, sender: str | None = None, unread: bool | None = None
) -> Result:
    """Tell in short what mails came in; without arguments the unread ones.

    since: mails from this day on
    sender: only mails of this person
    unread: true for unread mails only
    """
    mailbox, pending = await current(ctx)
    only_unread = True if since is None and not sender and unread is None else unread
    criteria = Criteria(
        senders=tuple(sender_terms(ctx, sender)) if sender and sender.strip() else (),
        since=datetime(since.year, since.month, since.day, tzinfo=ctx.zone) if since else None,
        unread=only_unread or None,
        folders=frozenset(folder.name for folder in mailbox.folders if folder.role == "inbox") if not sender else None,
    )
    found = await find(ctx, mailbox, criteria, pending=pending, limit=_LOOKED_AT)
    data = {"items": [item(ctx, entry, mail) for entry, mail in found]}
    if not found:
        return Result(text=ctx.text("email.nothing_unread" if only_unread else "email.nothing_new"), data=data)
    letters = [pair for pair in found if not pair[1].bulk or criteria.senders]
    newsletters = [pair for pair in found if pair not in letters]
    kind = "email.sum_unread" if only_unread else "email.sum_found"
    lines = [ctx.text(kind, count=len(found)), *await _letters(ctx, mailbox, letters)]
    if newsletters:
        names = list(dict.fromkeys(shown(ctx, mail.sender) for _, mail in newsletters))
        lines.append(ctx.text("email.newsletters", count=len(newsletters), names=names[:5]))
    if pending:
        lines.append(ctx.text("email.still_indexing", count=pending))
    return Result(text="\n".join(lines), data=data, sources=tuple(source(entry, mail) for entry, mail in found))


async def _letters(ctx: Context, mailbox: Mailbox, found: Found) -> list[str]:
    """A line for each conversation, its newest mail speaking for it; the further ones by their subjects alone."""
    threads: dict[str, list[tuple[Entry, Mail]]] = {}
    for entry, mail in found:
        threads.setdefault(mail.thread, []).append((entry, mail))
    newest = [group[0] for group in threads.values()]
    counts = [len(group) for group in threads.values()]
    said = await _sentences(ctx, [mail for _, mail in newest[:_CONDENSED]])
    lines = []
    for number, ((entry, mail), count) in enumerate(zip(newest[:_LISTED], counts, strict=False), 1):
        more = ctx.text("email.thread_more", count=count) if count > 1 else ""
        if number <= len(said):
            line = ctx.text(
                "email.sum_line", sender=shown(ctx, mail.sender), subject=subject(ctx, mail), when=when(ctx, mail)
            )
            invitation = await invitation_lines(ctx, mailbox, entry, mail)
            lines.append(f"{number}. {line}{more}\n   {' '.join(invitation) or said[number - 1]}")
        else:
            lines.append(f"{number}. {headline(ctx, entry, mail)}{more}")
    if len(newest) > _LISTED:
        lines.append(ctx.text("email.and_more", count=len(newest) - _LISTED))
    return lines


async def _sentences(ctx: Context, mails: Sequence[Mail]) -> list[str]:
    """What each mail says: itself where short, the model's sentence where it holds, its own beginning otherwise."""
    beginnings = [_beginning(mail) or ctx.text("email.no_text") for mail in mails]
    texts = [without_signature(mail.split.fresh) for mail in mails]
    if 0 < len(mails) <= 2 and all(0 < len(text) <= _SHORT for text in texts):
        return [text.replace("\n", "\n   ") for text in texts]
    long = [number for number, text in enumerate(texts) if len(text) > _LONG[ctx.language]]
    if not long or not ctx.model.ready:
        return beginnings
    try:
        answers = await _condense(ctx, [mails[number] for number in long], [texts[number] for number in long])
    except EngineError as error:
        logger.warning("mails are shown by their beginnings: %s", error)
        return beginnings
    for number, answer in zip(long, answers, strict=True):
        if _holds(answer, mails[number], texts[number]):
            beginnings[number] = answer
    return beginnings


async def _condense(ctx: Context, mails: Sequence[Mail], texts: Sequence[str]) -> list[str]:
    """One call for all mails: no tools, bound to a schema with a sentence per mail. Raises EngineError."""
    system = ctx.text("email.prompt")
    user, room = "", 1600 if ctx.language == "en" else 1000
    for _ in range(4):
        user = _fenced(mails, texts, room // len(mails))
        if await ctx.model.tokenize(system + user) <= _PROMPT_TOKENS:
            break
        room = room * 2 // 3
    numbers = [str(number) for number in range(1, len(mails) + 1)]
    sentence = {"type": "string", "minLength": 4, "maxLength": _SENTENCE[ctx.language]}
    request = Completion(
        messages=(Message(role="system", content=system), Message(role="user", content=user)),
        max_tokens=_TOKENS_PER_MAIL * len(mails) + 10,
        temperature=0.0,
        json_schema={
            "type": "object",
            "properties": dict.fromkeys(numbers, sentence),
            "required": numbers,
            "additionalProperties": False,
        },
        priority=Priority.PERSON,
    )
    written = "".join([chunk.text async for chunk in ctx.model.complete(request)])
    answers = _parsed(written)
    return [" ".join(str(answers.get(number, "")).split()) for number in numbers]


def _fenced(mails: Sequence[Mail], texts: Sequence[str], room: int) -> str:
    """The mails as data: nothing in them can look like the end of its fence."""
    blocks = []
    for number, (mail, text) in enumerate(zip(mails, texts, strict=True), 1):
        inside = f"{mail.sender.name or mail.sender.address}: {mail.subject}\n{' '.join(text.split())[:room]}"
        blocks.append(f"<mail {number}>\n{inside.replace('<', '‹').replace('>', '›')}\n</mail {number}>")
    return "\n".join(blocks)


def _parsed(written: str) -> dict[str, Any]:
    """The model's JSON; of an answer that was cut off, the sentences that were finished."""
    for text in (written, written[: written.rfind('",') + 1] + "}"):
        try:
            answers = json.loads(text)
        except ValueError:
            continue
        return answers if isinstance(answers, dict) else {}
    return {}


def _holds(answer: str, mail: Mail, text: str) -> bool:
    """Whether a sentence says more than the subject, says no number that the mail doesn't, and leads nowhere."""
    said_already = (mail.sender.name, mail.sender.address, mail.subject)
    rest = answer
    for known_part in said_already:
        rest = rest.replace(known_part, "") if known_part else rest
    if len(rest.strip(" :：,，.。-")) < _LEAST:
        return False
    known = {number.lstrip("0") for number in _NUMBER.findall(f"{mail.subject} {text} {mail.date}")}
    said = {number.lstrip("0") for number in _NUMBER.findall(answer)}
    return said <= known and not _LINK.search(answer)


def _beginning(mail: Mail) -> str:
    """The first sentence or two, without the greeting's line."""
    lines = [line.strip() for line in without_signature(mail.split.fresh).split("\n") if line.strip()]
    if len(lines) > 1 and len(lines[0]) < 40 and lines[0][-1] in ",,，:：!！":
        lines = lines[1:]
    text = " ".join(lines)
    if len(text) <= 160:
        return text
    cut = max(text.rfind(mark, 60, 160) for mark in (". ", "。", "! ", "？", "? ", "！"))
    return text[: cut + 1].strip() if cut > 0 else text[:159].rstrip() + "…"
