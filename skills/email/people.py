"""Names to addresses and back, through the user's contacts. A sender's own name proves nothing."""

from __future__ import annotations

import re

from assistant.skillkit import AskAgain, Context, Label, NotConfigured, Origin, Person, Rejected

from .parse import Address, Mail
from .text import fold, line

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NAMED = re.compile(r"([^<>]*)<([^<>]*)>")
_POSSESSIVE = re.compile(r"^(?:my|our|the)\s+|^(?:我的|我们的|我)(?=.)|'s$", re.IGNORECASE)
_SELF = {"me", "myself", "我", "自己", "我自己"}
_WORD = re.compile(r"[^\W_]+")


def own(ctx: Context) -> Address:
    """The user's own name and address. Raises NotConfigured."""
    address = valid(str(ctx.settings.get("address") or ctx.user.email))
    if address is None:
        raise NotConfigured("email.no_address")
    return Address(line(str(ctx.settings.get("name") or ctx.user.name), 100), address)


def own_addresses(ctx: Context) -> set[str]:
    """All addresses of the user, in lower case."""
    return {*ctx.user.addresses, str(ctx.settings.get("address") or "").lower()} - {""}


def valid(text: str) -> str | None:
    """A plain address (RFC 5321 §4.1.2, without quoted local parts), its domain in ASCII; None for anything else."""
    local, at, domain = text.strip().rpartition("@")
    if not at or len(text) > 254:
        return None
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        return None
    address = f"{local}@{domain}"
    return address if _ADDRESS.fullmatch(address) and len(local) <= 64 else None


def known(ctx: Context, word: str) -> list[Person]:
    """The contacts that a word means: by a whole name or alias, else by some of its words ("Haddad", "my sister")."""
    wanted = line(word, 200).strip("\"'“”")
    for name in dict.fromkeys((wanted, _POSSESSIVE.sub("", wanted).strip())):
        exact = [person for person in ctx.user.contacts if person.called(name)]
        if exact:
            return exact
    words = set(_WORD.findall(fold(_POSSESSIVE.sub("", wanted))))
    return [
        person
        for person in ctx.user.contacts
        if words and any(words <= set(_WORD.findall(fold(name))) for name in (person.name, *person.aliases))
    ]


def recipients(ctx: Context, words: list[str], argument: str) -> list[tuple[Address, Origin]]:
    """Addresses for what the user said, each with where it came from.

    Raises AskAgain for somebody unknown, without an address, or not the only one; Rejected for an ill-formed address.
    """
    found: dict[str, tuple[Address, Origin]] = {}
    for word in words:
        address, origin = _recipient(ctx, word, argument)
        found.setdefault(address.address.lower(), (address, origin))
    return list(found.values())


def _recipient(ctx: Context, word: str, argument: str) -> tuple[Address, Origin]:
    if "@" in word:
        named = _NAMED.fullmatch(word.strip())
        name, raw = (named[1], named[2]) if named else ("", word)
        address = valid(raw)
        if address is None:
            raise Rejected("email.bad_address", address=line(word, 100))
        return Address(line(name, 100).strip("\"' "), address), Origin(label=Label.USER)
    if fold(word).strip() in _SELF:
        return own(ctx), Origin(label=Label.PROFILE)
    people = known(ctx, word)
    reachable = [person for person in people if person.email]
    if len(reachable) == 1:
        person = reachable[0]
        address = valid(person.email or "")
        if address is None:
            raise Rejected("email.bad_address", address=person.email)
        return Address(person.name, address), Origin(label=Label.CONTACT, source=person.name)
    if reachable:
        choices = [f"{person.name} <{person.email}>" for person in reachable]
        raise AskAgain("email.which_person", missing=[argument], choices=choices, name=line(word, 100))
    code = "email.no_address_of" if people else "email.who"
    raise AskAgain(code, missing=[argument], name=people[0].name if people else line(word, 100))


def familiar(ctx: Context, address: Address) -> Origin | None:
    """The contact whose address it is, to the letter; None for anybody else, whatever name the address carries."""
    wanted = address.address.casefold()
    person = next((one for one in ctx.user.contacts if (one.email or "").casefold() == wanted), None)
    return Origin(label=Label.CONTACT, source=person.name) if person else None


def sender_terms(ctx: Context, word: str) -> list[str]:
    """What to look for in a sender, folded: the addresses of the contacts meant, and names long enough to tell."""
    people = known(ctx, word)
    terms: list[str] = []
    for person in people:
        names = [name for name in (person.name, *person.aliases) if len(_WORD.findall(name)) > 1 or _is_han(name)]
        terms.extend([person.email, *names] if person.email else [person.name, *names])
    return [fold(term) for term in dict.fromkeys(terms)] or [fold(line(word, 200))]


def from_whom(mail: Mail, terms: list[str]) -> bool:
    """Whether the sender holds one of the terms as whole words (any characters, where words have no spaces)."""
    sender = fold(str(mail.sender))
    return any(
        term in sender if _is_han(term) else re.search(rf"(?<![^\W_]){re.escape(term)}(?![^\W_])", sender) is not None
        for term in terms
        if term
    )


def shown(ctx: Context, address: Address) -> str:
    """A sender for people: a contact by the user's own name for them, others by their name; a name that imitates a
    contact is never shown without the address."""
    contact = next((one for one in ctx.user.contacts if one.email and one.email.lower() == address.address), None)
    if contact is not None:
        return contact.name
    imitated = imitates(ctx, address)
    if imitated is not None:
        return ctx.text("email.imitation", name=address.name, address=address.address, contact=imitated.name)
    if valid(address.name) and address.name.lower() != address.address:
        return f"{address.name} <{address.address}>"
    return address.name or address.address or ctx.text("email.nobody")


def imitates(ctx: Context, address: Address) -> Person | None:
    """The contact whose name (or address) this sender's name repeats without having their address."""
    name = _skeleton(address.name)
    if not name or address.address.lower() in own_addresses(ctx):
        return None
    for person in ctx.user.contacts:
        if person.email and person.email.lower() != address.address:
            names = (person.name, *person.aliases, person.email)
            if any(_skeleton(known_as) == name for known_as in names):
                return person
    return None


def _skeleton(name: str) -> str:
    """A name without spaces and points, look-alike letters of other alphabets as the Latin ones (UTS #39, the few)."""
    folded = re.sub(r"[\W_]", "", fold(name))
    return folded.translate(str.maketrans("аеорсухіӏјѕԁһνοαρτ01", "aeopcyxiljsdhvoaptol"))


def _is_han(name: str) -> bool:
    return any("\u3040" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af" for character in name)
