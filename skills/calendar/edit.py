"""Changes single properties in the text of an .ics file; every other byte stays as whoever wrote it left it.

Knows content lines (RFC 5545 §3.1), not what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)(?:[ \t][^\r\n]*(?:\r\n|\n|\r|$))*")
_FOLD = re.compile(r"(?:\r\n|\n|\r)[ \t]")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_TZID = re.compile(r';TZID=(?:"([^"]*)"|([^;:]*))', re.IGNORECASE)
_ESCAPE = re.compile(r"\\([\\,;nN])")
_PARAMETER = r';{name}=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*'


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
        return tzid_of(self.get(name) or "")

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

    def all(self, name: str) -> list[str]:
        """The unfolded lines of a property, without their breaks."""
        return [_unfolded(self.lines[at]) for at in self._places(name)]

    def rewrite(self, name: str, change: Callable[[str], str | None]) -> None:
        """Change the unfolded lines of a property as wholes; None takes one out. Lines that stay the same stay."""
        for at in reversed(self._places(name)):
            before = _unfolded(self.lines[at])
            after = change(before)
            if after is None:
                del self.lines[at]
            elif after != before:
                self.lines[at] = self._broken(folded(after))

    def sift(self, name: str, keep: Callable[[str, str], bool]) -> None:
        """Keep of a list property those values that `keep` wants: it is given each with the TZID of its line."""

        def kept(line: str) -> str | None:
            value = _value(line)
            wanted = [one for one in value.split(",") if keep(one, tzid_of(line))]
            return f"{line[: len(line) - len(value)]}{','.join(wanted)}" if wanted else None

        self.rewrite(name, kept)

    def copy(self) -> Block:
        """Another block with the same lines."""
        return Block(list(self.lines), self._newline)

    def keep_only(self, names: Collection[str]) -> None:
        """Take out all of its own lines but these properties."""
        depth, kept = 0, []
        for line in self.lines:
            key = _key(line)
            depth -= key == "END"
            if depth != 1 or key in names or key in ("BEGIN", "END"):
                kept.append(line)
            depth += key == "BEGIN"
        self.lines = kept

    def parts(self) -> list[str]:
        """The lines of what lies within it: alarms."""
        depth, found = 0, []
        for line in self.lines:
            key = _key(line)
            depth += key == "BEGIN"
            if depth > 1:
                found.append(line)
            depth -= key == "END"
        return found

    def add_parts(self, lines: list[str]) -> None:
        """Put such lines before its end."""
        self.lines[-1:-1] = [self._broken(line) for line in lines]

    def without_parts(self) -> None:
        """Take out what lies within it: alarms."""
        depth, kept = 0, []
        for line in self.lines:
            key = _key(line)
            depth += key == "BEGIN"
            if depth <= 1:
                kept.append(line)
            depth -= key == "END"
        self.lines = kept

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

    def insert(self, block: Block, after: Block) -> None:
        """Put a VEVENT behind another."""
        at = next(at for at, part in enumerate(self._parts) if part is after)
        self._parts.insert(at + 1, block)

    def append(self, block: Block) -> None:
        """Put a VEVENT behind all else but the end."""
        rest = self._parts[-1]
        assert isinstance(rest, list)
        end = next((at for at in range(len(rest) - 1, -1, -1) if _key(rest[at]) == "END"), len(rest))
        self._parts[-1:] = [rest[:end], block, rest[end:]]

    def keep_zones(self) -> None:
        """Take out all components but VEVENTs and time zones, and the calendar's own METHOD."""
        for at, part in enumerate(self._parts):
            if isinstance(part, list):
                self._parts[at] = _zones(part)

    def put_first(self, line: str) -> None:
        """Put a line at the calendar's own, behind VERSION and PRODID."""
        rest = self._parts[0]
        assert isinstance(rest, list)
        heads = [at for at, one in enumerate(rest) if _key(one) in ("BEGIN", "VERSION", "PRODID")]
        begins = next((at for at, one in enumerate(rest) if at and _key(one) == "BEGIN"), len(rest))
        at = max((at for at in heads if at < begins), default=-1) + 1
        rest.insert(at, line.replace("\r\n", self._newline))

    def has_zone(self, tzid: str) -> bool:
        """Whether the file tells what the zone is."""
        return any(
            _key(line) == "TZID" and _value(_unfolded(line)) == tzid
            for part in self._parts
            if isinstance(part, list)
            for line in part
        )

    def zone(self, tzid: str) -> str:
        """The VTIMEZONE of a name, "" for none."""
        inside: list[str] | None = None
        for line in (line for part in self._parts if isinstance(part, list) for line in part):
            marker = _unfolded(line).strip().upper()
            if marker == "BEGIN:VTIMEZONE":
                inside = []
            if inside is not None:
                inside.append(line)
            if marker == "END:VTIMEZONE" and inside is not None:
                if any(_key(one) == "TZID" and _value(_unfolded(one)) == tzid for one in inside):
                    return "".join(one.rstrip("\r\n") + "\r\n" for one in inside)
                inside = None
        return ""

    def add_component(self, text: str) -> None:
        """Put a component before the first VEVENT."""
        at = next(at for at, part in enumerate(self._parts) if isinstance(part, Block))
        self._parts.insert(at, [text.replace("\r\n", self._newline)])

    def data(self) -> bytes:
        """The file's bytes."""
        lines = (line for part in self._parts for line in (part.lines if isinstance(part, Block) else part))
        return "".join(lines).encode("utf-8", "surrogateescape")


def folded(line: str) -> str:
    """An unfolded line as content lines (RFC 5545 §3.1), with its break."""
    pieces, piece, size = [], "", 0
    for one in line:
        width = len(one.encode("utf-8", "surrogateescape"))
        if size + width > 75:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + one, size + width
    return "\r\n".join((*pieces, piece)) + "\r\n"


def tzid_of(line: str) -> str:
    """The TZID parameter of an unfolded line, "" for none."""
    found = _TZID.search(line)
    return (found[1] or found[2] or "") if found else ""


def value_of(line: str) -> str:
    """The value of an unfolded line."""
    return _value(line)


def with_parameter(line: str, name: str, value: str | None) -> str:
    """An unfolded line with this parameter; None takes it out."""
    end = len(line) - len(_value(line)) - 1
    head, rest = line[:end], line[end:]
    head = re.sub(_PARAMETER.format(name=name), "", head, flags=re.IGNORECASE)
    return f"{head}{'' if value is None else f';{name}={value}'}{rest}"


def parameter(line: str, name: str) -> str:
    """A parameter of an unfolded line, without quotes; "" for none."""
    head = line[: len(line) - len(_value(line)) - 1]
    found = re.search(_PARAMETER.format(name=name), head, re.IGNORECASE)
    return found.group().partition("=")[2].strip('"') if found else ""


def _zones(lines: list[str]) -> list[str]:
    kept: list[str] = []
    depth, skipping = 0, False
    for line in lines:
        key = _key(line)
        if key == "BEGIN":
            name = _unfolded(line).partition(":")[2].strip().upper()
            if depth == 0 and name not in ("VCALENDAR", "VTIMEZONE"):
                skipping = True
            depth += name != "VCALENDAR"
        if not skipping and not (depth == 0 and key == "METHOD"):
            kept.append(line)
        if key == "END" and depth:
            depth -= 1
            skipping = skipping and depth > 0
    return kept


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
