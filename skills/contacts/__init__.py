"""The people the user knows: found in the profile and in vCard files, new ones written as vCards."""

from __future__ import annotations

import re
import uuid
from typing import Any

from assistant.skillkit import (
    AskAgain,
    Context,
    NotFound,
    Rejected,
    Result,
    extend_card,
    format_iban,
    keep_in_step,
    parse_iban,
    starts,
    tool,
    undo,
    write_card,
)

from .book import Book, Entry, expect, open_book, save
from .briefing import brief as brief
from .people import Known, close, everybody, fitting, plain

_SHOWN = 10
_ADDRESS = re.compile(r"[^\s@<>(),;:\"\[\]\\]{1,64}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,63}")
_SPOKEN = ((re.compile(r"\s+at\s+|艾特", re.IGNORECASE), "@"), (re.compile(r"\s+dot\s+|点", re.IGNORECASE), "."))


@tool
async def find(ctx: Context, name: str) -> Result:
    """Look up a contact's e-mail address, phone number or bank account (IBAN).

    name: the person or company, as the user calls them, or an address of theirs
    """
    if not plain(name):
        raise AskAgain("contacts.no_name", missing=("name",))
    book = open_book(ctx)
    known = everybody(ctx.user.contacts, (entry.card for entry in book.entries))
    found = fitting(name, known)
    if not found:
        raise _nobody(plain(name), known, book)
    lines = [_line(ctx, one) for one in found[:_SHOWN]]
    if len(found) > 1:
        lines = [ctx.text("contacts.found", count=len(found)), *(f"- {line}" for line in lines)]
    if len(found) > _SHOWN:
        lines.append(ctx.text("contacts.more", count=len(found) - _SHOWN))
    return Result(text="\n".join(lines), data={"items": [_item(one) for one in found[:_SHOWN]]})


@tool
async def add(
    ctx: Context, name: str, email: str | None = None, phone: str | None = None, iban: str | None = None
) -> Result:
    """Save a new contact, or an address of a known one.

    name: the person or company
    email: their e-mail address
    phone: their phone number
    iban: their bank account
    """
    name = " ".join(name.split())
    book = open_book(ctx)
    known = everybody(ctx.user.contacts, (entry.card for entry in book.entries))
    picked = _by_address(name, known)
    if picked is None and not email and _ADDRESS.fullmatch(name):
        name, email = _named_like(name), name
    if not name:
        raise AskAgain("contacts.no_name", missing=("name",))
    given = {"email": _email(email), "phone": " ".join((phone or "").split()), "iban": _iban(iban)}
    own = picked or next((one for one in known if name.casefold() in {each.casefold() for each in one.names}), None)
    entries = book.called(own.name if own else name)
    if len(entries) > 1:
        raise Rejected("contacts.two_of_a_name", name=name)
    _check_profile(own, entries, given)
    if own is not None and picked is None:
        _check_same(own, given)
    new = {field: value for field, value in given.items() if value and not _has(own, field, value)}
    if own is not None and not new:
        raise Rejected("contacts.known", name=own.name)
    return _extend(ctx, book, entries[0], new) if entries else _create(ctx, book, own.name if own else name, new)


@undo("add")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """A new contact goes; a changed one becomes what it was. Never over somebody's later change."""
    file = open_book(ctx).folder / record["file"]
    expect(file, record["mark"])
    if record["before"] is None:
        file.unlink()
        return Result(text=ctx.text("contacts.removed", name=record["name"]))
    save(file, record["before"])
    return Result(text=ctx.text("contacts.restored", name=record["name"]))


@starts
async def keep(ctx: Context) -> None:
    """In the background: the address books of the user's accounts are kept in step with their servers."""
    await keep_in_step(ctx, "contacts")


def _create(ctx: Context, book: Book, name: str, new: dict[str, str]) -> Result:
    # The action's id, so that the same action done again after a crash does not make a second contact.
    uid = re.sub(r"[^\w-]", "", ctx.operation) or str(uuid.uuid4())
    file = book.folder / f"{uid}.vcf"
    mark = save(file, write_card(uid, name, **new))
    return _done(ctx, "contacts.added", name, new, {"file": str(file), "mark": mark, "before": None})


def _extend(ctx: Context, book: Book, entry: Entry, new: dict[str, str]) -> Result:
    mark = save(entry.file, extend_card(entry.text, entry.card, **new))
    where = str(entry.file)
    return _done(ctx, "contacts.extended", entry.card.name, new, {"file": where, "mark": mark, "before": entry.text})


def _done(ctx: Context, sentence: str, name: str, new: dict[str, str], record: dict[str, Any]) -> Result:
    if new:
        shown = new | ({"iban": format_iban(new["iban"])} if new.get("iban") else {})
        details = [ctx.text(f"contacts.{field}", values=value) for field, value in shown.items()]
        text = ctx.text(f"{sentence}_with", name=name, details=ctx.text("contacts.joint").join(details))
    else:
        text = ctx.text(sentence, name=name)
    return Result(text=text, data={"name": name, **new}, undo=record | {"name": name})


def _check_profile(own: Known | None, entries: list[Entry], given: dict[str, str]) -> None:
    """What the user wrote into the profile counts more than any card: it is not covered up silently."""
    if own is None:
        return
    cards = {"email": "emails", "phone": "phones", "iban": "ibans"}
    for field, several in cards.items():
        written = [
            value
            for value in getattr(own, several)
            if not any(value in getattr(entry.card, several) for entry in entries)
        ]
        if given[field] and written and not _has(own, field, given[field]):
            raise Rejected("contacts.in_profile", name=own.name, value=written[0])


def _by_address(words: str, known: list[Known]) -> Known | None:
    """Who is meant by an address or account of theirs, as `_check_same` offers them; None for a name."""
    return next((one for one in known if _has(one, "email", words) or _has(one, "iban", words)), None)


def _check_same(own: Known, given: dict[str, str]) -> None:
    """Two people may have one name: another address goes to a card only where it is said whose. Raises AskAgain."""
    for field in ("email", "iban"):
        there = {"email": own.emails, "iban": own.ibans}[field]
        if given[field] and there and not _has(own, field, given[field]):
            choice = f"{own.name} <{there[0]}>" if field == "email" else format_iban(there[0])
            value = given[field] if field == "email" else format_iban(given[field])
            raise AskAgain(
                "contacts.same_person", missing=("name",), choices=(choice,), name=own.name, known=choice, value=value
            )


def _has(own: Known | None, field: str, value: str) -> bool:
    if own is None:
        return False
    there = {"email": own.emails, "phone": own.phones, "iban": own.ibans}[field]
    return re.sub(r"\s", "", value).casefold() in {re.sub(r"\s", "", one).casefold() for one in there}


def _email(text: str | None) -> str:
    """Also as it is spoken: `julia at example dot org`. Raises Rejected."""
    address = (text or "").strip().strip("<>")
    if address and "@" not in address:
        for spoken, written in _SPOKEN:
            address = spoken.sub(written, address)
        address = re.sub(r"\s*([@.])\s*", r"\1", address)
    address = address.removeprefix("mailto:")
    if address and (not _ADDRESS.fullmatch(address) or ".." in address or len(address) > 254):
        raise Rejected("contacts.bad_email", email=(text or "").strip())
    return address


def _iban(text: str | None) -> str:
    if not text or not text.strip():
        return ""
    number = parse_iban(text)
    if number is None:
        raise Rejected("contacts.bad_iban", iban=text.strip())
    return number


def _named_like(address: str) -> str:
    """A name for who is known by an address alone: `julia.novak@…` → `Julia Novak`."""
    return re.sub(r"[._+-]+", " ", address.partition("@")[0]).strip().title() or address


def _nobody(name: str, known: list[Known], book: Book) -> NotFound:
    if book.unreadable:
        return NotFound("contacts.not_found_unreadable", name=name, files=list(book.unreadable[:3]))
    if alike := close(name, known):
        return NotFound("contacts.not_found_close", name=name, names=alike)
    return NotFound("contacts.not_found", name=name)


def _line(ctx: Context, one: Known) -> str:
    details = [
        ctx.text(f"contacts.{field}", values=values)
        for field, values in (
            ("email", list(one.emails)),
            ("phone", list(one.phones)),
            ("iban", [format_iban(number) for number in one.ibans]),
        )
        if values
    ]
    if not details:
        return ctx.text("contacts.bare", name=one.name)
    return ctx.text("contacts.line", name=one.name, details=ctx.text("contacts.joint").join(details))


def _item(one: Known) -> dict[str, Any]:
    """The preferred address of each kind by its contract's name, and all of them."""
    return {
        "name": one.name,
        "aliases": list(one.aliases),
        "email": next(iter(one.emails), None),
        "phone": next(iter(one.phones), None),
        "iban": next(iter(one.ibans), None),
        "emails": list(one.emails),
        "phones": list(one.phones),
    }
