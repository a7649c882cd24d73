"""Contacts as vCards (RFC 6350; 3.0 as in RFC 2426, and what phones export as 2.1). Pure text: opens no file.

A card is changed by putting lines into it, so that nothing another program wrote is lost.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from assistant.models import Person

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_CONTENT = re.compile(
    r"""\s*(?:[\w-]+\.)?(?P<name>[\w-]+)(?P<params>(?:;(?:"[^"]*"|[^":])*)?):(?P<value>.*)""", re.DOTALL
)
_PARAMETER = re.compile(r""";\s*([^=;:]+)(?:=((?:"[^"]*"|[^";])*))?""")
_TOKEN = re.compile(r"\\?.", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_HAN = re.compile(r"[㐀-䶿一-鿿]")
_UNRANKED = 101
"""Behind every PREF, which goes from 1 to 100 (RFC 6350, section 5.3)."""
_OCTETS = 75
_FIELDS = {"email": "EMAIL", "phone": "TEL", "iban": "X-IBAN"}
"""No standard names a property for a bank account; other programs keep `X-` properties as they are."""


@dataclass(frozen=True)
class Card:
    """One contact of a file: what is known of it, and the lines it takes there (from BEGIN up to END)."""

    name: str
    aliases: tuple[str, ...]
    emails: tuple[str, ...]
    """The preferred one first; so with phones and ibans."""
    phones: tuple[str, ...]
    ibans: tuple[str, ...]
    version: str
    birthday: tuple[int, int] | None
    """Month and day."""
    first: int
    last: int

    @property
    def person(self) -> Person:
        """The contact as the assistant knows people, with the preferred one of several addresses."""
        email, phone, iban = (next(iter(values), None) for values in (self.emails, self.phones, self.ibans))
        return Person(name=self.name, aliases=self.aliases, email=email, phone=phone, iban=iban)


@dataclass(frozen=True)
class _Line:
    """A content line, unfolded: `EMAIL;TYPE=work:…`."""

    name: str
    params: Mapping[str, str]
    value: str
    rank: int
    number: int


def read_cards(text: str) -> list[Card]:
    """All contacts of a file, in its order. Groups, nameless and unfinished cards are left out; never raises."""
    cards: list[Card] = []
    inside: list[_Line] = []
    begun: int | None = None
    for line in _content_lines(_physical(text)):
        if line.name == "BEGIN":
            inside, begun = [], line.number if line.value.strip().upper() == "VCARD" else None
        elif line.name == "END" and begun is not None:
            card = _card(inside, begun, line.number)
            cards += [card] if card else []
            begun = None
        else:
            inside.append(line)
    return cards


def write_card(uid: str, name: str, *, email: str = "", phone: str = "", iban: str = "") -> str:
    """A new vCard 3.0, which every program reads."""
    words = name.split()
    family, given = (words[-1], " ".join(words[:-1])) if len(words) > 1 and not _HAN.search(name) else (name, "")
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{_escape(uid)}", f"FN:{_escape(name)}"]
    lines += [f"N:{_escape(family)};{_escape(given)};;;", *_properties(email, phone, iban).values(), "END:VCARD"]
    return "".join(f"{_fold(line)}\r\n" for line in lines)


def extend_card(text: str, card: Card, *, email: str = "", phone: str = "", iban: str = "") -> str:
    """`text` with more put into one of its cards; what is new comes before what is there, and is preferred to it."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = _LINE.findall(text)
    there = [one for one in _content_lines(_physical(text)) if card.first < one.number < card.last]
    added = _properties(email, phone, iban)
    for name, content in sorted(added.items(), key=lambda item: -_place(item[0], there, card)):
        if any(one.name == name and one.rank < _UNRANKED for one in there):
            mark = "PREF=1" if card.version.startswith("4") else "TYPE=pref"
            content = content.replace(":", f";{mark}:", 1)
        lines.insert(_place(name, there, card), f"{_fold(content, end)}{end}")
    return "".join(lines)


def _place(name: str, there: Sequence[_Line], card: Card) -> int:
    return next((one.number for one in there if one.name == name), card.last)


def _properties(email: str, phone: str, iban: str) -> dict[str, str]:
    given = {"email": email, "phone": phone, "iban": iban}
    return {_FIELDS[field]: f"{_FIELDS[field]}:{_escape(value)}" for field, value in given.items() if value}


def _physical(text: str) -> list[str]:
    return [line.rstrip("\r\n") for line in _LINE.findall(text.removeprefix("\ufeff"))]


def _content_lines(physical: Sequence[str]) -> Iterator[_Line]:
    """Unfolded (section 3.2); a quoted-printable line of 2.1 goes on after a final `=`."""
    at = 0
    while at < len(physical):
        number, line = at, physical[at]
        at += 1
        quoted = "QUOTED-PRINTABLE" in line.partition(":")[0].upper()
        while at < len(physical) and (physical[at][:1] in (" ", "\t") or (quoted and line.endswith("="))):
            line = line[:-1] + physical[at] if quoted and line.endswith("=") else line + physical[at][1:]
            at += 1
        if found := _CONTENT.fullmatch(line):
            yield _line(found, number, quoted)


def _line(found: re.Match[str], number: int, quoted: bool) -> _Line:
    params: dict[str, str] = {}
    for name, value in _PARAMETER.findall(found["params"]):
        key = name.strip().upper()
        # 2.1 writes `TEL;CELL;PREF`, types without a name
        key, value = (key, value) if value else ("TYPE", key)
        params[key] = ",".join(filter(None, (params.get(key), value.replace('"', ""))))
    value = found["value"]
    if quoted:
        charset = params.get("CHARSET", "utf-8")
        try:
            value = quopri.decodestring(value.encode("utf-8")).decode(charset, "replace")
        except LookupError:
            value = quopri.decodestring(value.encode("utf-8")).decode("utf-8", "replace")
    return _Line(found["name"].upper(), params, value, _rank(params), number)


def _rank(params: Mapping[str, str]) -> int:
    if params.get("PREF", "").isdecimal():
        return int(params["PREF"])
    return 1 if "PREF" in params.get("TYPE", "").upper().split(",") else _UNRANKED


def _card(lines: Sequence[_Line], first: int, last: int) -> Card | None:
    names = _names(lines)
    if not names or any(one.name == "KIND" and one.value.strip().lower() == "group" for one in lines):
        return None
    nicks = [nick for one in _ranked(lines, "NICKNAME") for nick in _split(one.value, ",")]
    aliases = dict.fromkeys(alias for alias in (*nicks, *names[1:]) if alias and alias != names[0])
    return Card(
        name=names[0],
        aliases=tuple(aliases),
        emails=_addresses(lines, "EMAIL", "mailto:"),
        phones=_addresses(lines, "TEL", "tel:"),
        ibans=tuple(re.sub(r"\s", "", one).upper() for one in _addresses(lines, "X-IBAN", "")),
        birthday=next((day for one in lines if one.name == "BDAY" and (day := _birthday(one.value))), None),
        version=next((one.value.strip() for one in lines if one.name == "VERSION"), ""),
        first=first,
        last=last,
    )


_BIRTHDAY = re.compile(r"\s*(?:\d{4}|--)-?(\d\d)-?(\d\d)(?:T.*)?\s*")


def _birthday(value: str) -> tuple[int, int] | None:
    """Month and day of a BDAY (RFC 6350, section 6.2.5), its year known or not."""
    found = _BIRTHDAY.fullmatch(value)
    month, day = (int(found[1]), int(found[2])) if found else (0, 0)
    return (month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _names(lines: Sequence[_Line]) -> list[str]:
    """How the contact is called: as formatted, then by its parts in their usual order; an organisation by its own."""
    family, given = (*next((_split(one.value, ";") for one in lines if one.name == "N"), []), "", "")[:2]
    own = f"{family}{given}" if _HAN.search(family + given) else f"{given} {family}"
    names = [*(_unescape(one.value) for one in _ranked(lines, "FN")), own]
    tidy = [plain for name in names if (plain := " ".join(name.split()))]
    return tidy or [plain for one in lines if one.name == "ORG" if (plain := " ".join(_split(one.value, ";")).strip())]


def _ranked(lines: Sequence[_Line], name: str) -> list[_Line]:
    return sorted((one for one in lines if one.name == name), key=lambda one: one.rank)


def _addresses(lines: Sequence[_Line], name: str, scheme: str) -> tuple[str, ...]:
    values = (_unescape(one.value).strip() for one in _ranked(lines, name))
    bare = (value[len(scheme) :] if scheme and value.lower().startswith(scheme) else value for value in values)
    return tuple(dict.fromkeys(value for value in bare if value))


def _split(value: str, mark: str) -> list[str]:
    """The parts of a value, at marks that are not escaped."""
    parts = [""]
    for token in _TOKEN.findall(value):
        if token == mark:
            parts.append("")
        else:
            parts[-1] += token
    return [_unescape(part).strip() for part in parts]


def _unescape(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def _escape(value: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", value).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _fold(line: str, end: str = "\r\n") -> str:
    """At most 75 octets a line, never inside a character (section 3.2)."""
    pieces, size = [""], 0
    for character in line:
        octets = len(character.encode("utf-8"))
        if size + octets > _OCTETS:
            pieces.append(" ")
            size = 1
        pieces[-1] += character
        size += octets
    return end.join(pieces)
