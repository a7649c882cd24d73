"""Changes single properties in the text of an .ics file; every other byte stays as whoever wrote it left it.

Knows content lines (RFC 5545 §3.1), not what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)(?:[ \t][^\r\n]*(?:\r\n|\n|\r|$))*")
_FOLD = re.compile(r"(?:\r\n|\n|\r)[ \t]")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_TZID = re.compile(r';TZID=(?:"([^"]*)"|([^;:]*))', re.IGNORECASE)
_ESCAPE = re.compile(r"\\([\\,;nN])")


class Block:
    """One VEVENT of a file."""

    def __init__(self, lines: list[str], newline: str) -> None:
        self._newline = newline
        self.lines = lines

    def get(self, name: str) -> str | None:
        """The unfolded line of a property, without its break."""
        at = next(iter(self._places(name)), None)
        return None if at is None else _unfolded(self.lines[at])

    def value(self, name: str) -> str | None:
        """The property's value as it is written; "" where its line has none."""
        line = self.get(name)
        return None if line is None else _value(line)

    def text(self, name: str) -> str | None:
        """The property's value as a text, its escapes resolved."""
        value = self.value(name)
        if value is None:
            return None
        return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)

    def tzid(self, name: str) -> str:
        """The property's TZID parameter, "" for none."""
        found = _TZID.search(self.get(name) or "")
        return (found[1] or found[2] or "") if found else ""

    def put(self, name: str, line: str | None) -> None:
        """Replace the property by this line (a whole content line), or take it out."""
        places = self._places(name)
        at = places[0] if places else self._end()
        for place in reversed(places):
            del self.lines[place]
        if line is not None:
            self.lines.insert(at, self._broken(line))

    def add(self, line: str) -> None:
        """Add a line beside others of its name."""
        self.lines.insert(self._end(), self._broken(line))

    def map(self, name: str, change: Callable[[str], str]) -> None:
        """Change the values of all lines of a property."""
        for at in self._places(name):
            line = _unfolded(self.lines[at])
            value = _value(line)
            self.lines[at] = line[: len(line) - len(value)] + change(value) + self._newline

    def _broken(self, line: str) -> str:
        return line.replace("\r\n", self._newline)

    def _places(self, name: str) -> list[int]:
        """Where the event's own lines of a name are; an alarm's are not its own."""
        depth, found = 0, []
        for at, line in enumerate(self.lines):
            key = _key(line)
            if key == "END":
                depth -= 1
            if depth == 1 and key == name:
                found.append(at)
            if key == "BEGIN":
                depth += 1
        return found

    def _end(self) -> int:
        """Behind the last property: alarms follow."""
        return next(at for at, line in enumerate(self.lines) if at and _key(line) in ("BEGIN", "END"))


class File:
    """A whole file: its VEVENTs can be changed, the rest is kept."""

    def __init__(self, data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        newline = "\r\n" if "\r\n" in text or "\n" not in text else "\n"
        self._newline = newline
        self._parts: list[list[str] | Block] = [[]]
        inside: list[str] | None = None
        for line in _LINE.findall(text):
            if not line:
                continue
            marker = _unfolded(line).strip().upper()
            if inside is None and marker == "BEGIN:VEVENT":
                inside = []
            if inside is None:
                rest = self._parts[-1]
                assert isinstance(rest, list)
                rest.append(line)
                continue
            inside.append(line)
            if marker == "END:VEVENT":
                self._parts += [Block(inside, newline), []]
                inside = None
        if inside is not None:
            self._parts.append(inside)

    @property
    def blocks(self) -> list[Block]:
        """Its VEVENTs in order."""
        return [part for part in self._parts if isinstance(part, Block)]

    def drop(self, block: Block) -> None:
        """Take a VEVENT out."""
        self._parts = [part for part in self._parts if part is not block]

    def has_zone(self, tzid: str) -> bool:
        """Whether the file tells what the zone is."""
        return any(
            _key(line) == "TZID" and _value(_unfolded(line)) == tzid
            for part in self._parts
            if isinstance(part, list)
            for line in part
        )

    def add_component(self, text: str) -> None:
        """Put a component before the first VEVENT."""
        at = next(at for at, part in enumerate(self._parts) if isinstance(part, Block))
        self._parts.insert(at, [text.replace("\r\n", self._newline)])

    def data(self) -> bytes:
        """The file's bytes."""
        lines = (line for part in self._parts for line in (part.lines if isinstance(part, Block) else part))
        return "".join(lines).encode("utf-8", "surrogateescape")


def _unfolded(line: str) -> str:
    return _FOLD.sub("", line.rstrip("\r\n"))


def _key(line: str) -> str:
    found = _NAME.match(line)
    return found.group().upper() if found else ""


def _value(line: str) -> str:
    """What follows the first colon outside of quotes."""
    quoted = False
    for at, one in enumerate(line):
        if one == '"':
            quoted = not quoted
        elif one == ":" and not quoted:
            return line[at + 1 :]
    return ""
