"""iCalendar and vCard files as a tree of content lines (RFC 5545 §3.1, RFC 6350 §3.2) that keeps every byte.

Knows BEGIN and END, names, parameters and values; not what any property means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)(?:[ \t][^\r\n]*(?:\r\n|\n|\r|$))*")
_FOLD = re.compile(r"(?:\r\n|\n|\r)[ \t]")
_ESCAPED = re.compile(r"\\([,;:\\nN])")
_DEEPEST = 20
"""Components within components; a calendar has four at most."""


@dataclass(frozen=True)
class Line:
    """One content line with its folds and its break."""

    raw: str

    @cached_property
    def plain(self) -> str:
        """Unfolded, without its break."""
        return _FOLD.sub("", self.raw.rstrip("\r\n"))

    @cached_property
    def _cut(self) -> tuple[tuple[str, ...], str]:
        """Name and parameters, and the value: what follows the first colon outside of quotes."""
        quoted, parts, begun = False, [], 0
        for at, one in enumerate(self.plain):
            if one == '"':
                quoted = not quoted
            elif not quoted and one in ";:":
                parts.append(self.plain[begun:at])
                begun = at + 1
                if one == ":":
                    return tuple(parts), self.plain[begun:]
        return (self.plain,), ""

    @cached_property
    def group(self) -> str:
        """`item1` of `item1.TEL:…`, in lower case; "" for none."""
        return self._cut[0][0].rpartition(".")[0].strip().lower()

    @cached_property
    def name(self) -> str:
        """In upper case, without its group."""
        return self._cut[0][0].rpartition(".")[2].strip().upper()

    @property
    def value(self) -> str:
        """As it is written."""
        return self._cut[1]

    @cached_property
    def text(self) -> str:
        """The value with its escapes resolved."""
        return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], self.value)

    @cached_property
    def canonical(self) -> str:
        """The same for two lines that say the same: order and quotes of parameters, folds and escapes aside."""
        found = []
        for one in self._cut[0][1:]:
            key, _, value = one.partition("=")
            found.append(f"{key.strip().upper()}={value.replace(chr(34), '').strip()}")
        head = ";".join((f"{self.group}.{self.name}" if self.group else self.name, *sorted(found)))
        return f"{head}:{self.text.rstrip()}"


@dataclass
class Component:
    """What stands between BEGIN and END."""

    name: str
    begin: Line
    parts: list[Line | Component] = field(default_factory=list)
    end: Line = field(default_factory=lambda: Line(""))

    @property
    def lines(self) -> list[Line]:
        """Its own properties."""
        return [part for part in self.parts if isinstance(part, Line)]

    @property
    def components(self) -> list[Component]:
        """The components in it."""
        return [part for part in self.parts if isinstance(part, Component)]

    def value(self, name: str) -> str:
        """The text of its first property of a name; "" for none."""
        return next((one.text.strip() for one in self.lines if one.name == name), "")

    def canonical(self) -> str:
        """The same for two components that say the same."""
        inside = sorted((*(one.canonical for one in self.lines), *(one.canonical() for one in self.components)))
        return "\n".join((f"BEGIN:{self.name}", *inside, f"END:{self.name}"))

    def __str__(self) -> str:
        return "".join((self.begin.raw, *(one.raw if isinstance(one, Line) else str(one) for one in self.parts))) + (
            self.end.raw
        )


@dataclass
class Tree:
    """A whole file."""

    roots: list[Component]
    newline: str

    @property
    def root(self) -> Component | None:
        """Its only component, as a server holds one calendar object or one card each; None of several."""
        return self.roots[0] if len(self.roots) == 1 else None

    def data(self) -> bytes:
        """The file's bytes."""
        return "".join(str(root) for root in self.roots).encode("utf-8", "surrogateescape")


def read(data: bytes) -> Tree | None:
    """The file; None where it is not whole: a BEGIN without its END, or something outside of them."""
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    roots: list[Component] = []
    open_: list[Component] = []
    for line in (Line(one) for one in _LINE.findall(text) if one):
        if line.name == "BEGIN":
            if len(open_) == _DEEPEST:
                return None
            open_.append(Component(line.value.strip().upper(), line))
        elif line.name == "END":
            if not open_ or open_[-1].name != line.value.strip().upper():
                return None
            whole = open_.pop()
            whole.end = line
            (open_[-1].parts if open_ else roots).append(whole)
        elif open_:
            open_[-1].parts.append(line)
        elif line.plain.strip():
            return None
    if open_ or not roots:
        return None
    if not roots[-1].end.raw.endswith(("\n", "\r")):
        roots[-1].end = Line(roots[-1].end.raw + ("\r\n" if "\r\n" in text else "\n"))
    return Tree(roots, "\r\n" if "\r\n" in text or "\n" not in text else "\n")


def uid(data: bytes) -> str:
    """The UID of the file's event, task or card; "" where it has none."""
    tree = read(data)
    if tree is None:
        return ""
    return next((found for one in _all(tree.roots) if one.name != "VALARM" and (found := one.value("UID"))), "")


def title(data: bytes) -> str:
    """What a person calls it: the summary, or the card's name; "" where it says none."""
    tree = read(data)
    if tree is None:
        return ""
    return next((found for one in _all(tree.roots) for name in ("SUMMARY", "FN") if (found := one.value(name))), "")


def kinds(data: bytes) -> frozenset[str]:
    """The names of all components in it; none where the file is not whole."""
    tree = read(data)
    return frozenset(one.name for one in _all(tree.roots)) if tree else frozenset()


_NOT_COMPARED = {"PRODID", "VERSION", "CALSCALE", "METHOD"}


def same(one: bytes, other: bytes) -> bool:
    """Whether two files say the same, whatever program wrote them. Time zones are known by their names alone."""
    if one == other:
        return True
    first, second = read(one), read(other)
    return first is not None and second is not None and _said(first) == _said(second)


def _said(tree: Tree) -> list[str]:
    said = []
    for root in tree.roots:
        said += [line.canonical for line in root.lines if line.name not in _NOT_COMPARED]
        said += [one.canonical() for one in root.components if one.name != "VTIMEZONE"]
    return sorted(said)


def _all(components: list[Component]) -> Iterator[Component]:
    for one in components:
        yield one
        yield from _all(one.components)
