"""Two changes of one calendar object or card made one, where they are about different things. Pure.

Each side is compared with what it was when both were last in step, so that a server's own way of writing is no change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from assistant.dav.lines import Component, Line, Tree, read

_ALIKE = {
    **dict.fromkeys(("DTSTART", "DTEND", "DURATION", "DUE", "RRULE"), "time"),
    **dict.fromkeys(("STATUS", "COMPLETED", "PERCENT-COMPLETE"), "status"),
    **dict.fromkeys(("LOCATION", "GEO", "X-APPLE-STRUCTURED-LOCATION"), "place"),
    **dict.fromkeys(("DESCRIPTION", "X-ALT-DESC"), "description"),
    **dict.fromkeys(("FN", "N"), "name"),
}
"""Properties that are understood only together: one side's all, or the other's."""
_SEVERAL = {
    "ATTENDEE", "EXDATE", "RDATE", "CATEGORIES", "COMMENT", "ATTACH", "CONTACT", "RELATED-TO", "RESOURCES",
    "REQUEST-STATUS", "CONFERENCE", "IMAGE", "TEL", "EMAIL", "ADR", "URL", "IMPP", "NICKNAME", "MEMBER", "RELATED",
    "LANG", "KEY", "X-SOCIALPROFILE", "X-IBAN",
}  # fmt: skip
"""Each line of its own: those that one side added or took out are added or taken out."""
_HOUSEKEEPING = {"DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "REV", "CREATED", "PRODID", "VERSION", "X-MOZ-GENERATION"}
"""What programs write with every change: the later one counts."""
_SERIES = {"time", "EXDATE", "RDATE"}
Key = tuple[str, ...]


class _Clash(Exception):
    """Both changed the same thing differently."""


@dataclass(frozen=True)
class Sides:
    """One side before and now."""

    old: Component | None
    new: Component | None

    @property
    def changed(self) -> bool:
        """Whether anything but housekeeping differs."""
        if self.old is None or self.new is None:
            return self.old is not self.new
        return bool(_differing(self.old, self.new))


def merged(ours_before: bytes, ours: bytes, theirs_before: bytes, theirs: bytes) -> bytes | None:
    """The server's version with our changes in it; None where both changed the same thing, or none can be read."""
    trees = [read(one) for one in (ours_before, ours, theirs_before, theirs)]
    if any(tree is None or tree.root is None for tree in trees):
        return None
    before, mine, was, result = (tree for tree in trees if tree is not None)
    try:
        if result.root is not None and result.root.name == "VCARD":
            _merge_component(_root(before), _root(mine), _root(was), _root(result), result.newline)
        else:
            _merge_calendar(before, mine, was, result)
    except _Clash:
        return None
    data = result.data()
    return data if read(data) is not None else None


def _root(tree: Tree) -> Component:
    assert tree.root is not None
    return tree.root


def _merge_calendar(before: Tree, mine: Tree, was: Tree, result: Tree) -> None:
    old, new, base = (_by_key(_root(tree)) for tree in (before, mine, was))
    there = _by_key(_root(result))
    pairs = {
        key: (Sides(old.get(key), new.get(key)), Sides(base.get(key), there.get(key))) for key in old | new | there
    }
    _check_series(pairs)
    root = _root(result)
    for key, (ours, theirs) in pairs.items():
        if not ours.changed or key[0] == "VTIMEZONE":
            if key[0] == "VTIMEZONE" and key not in there and ours.new is not None:
                root.parts.insert(len(root.lines), _rewritten(ours.new, result.newline))
            continue
        if ours.new is None:
            if theirs.changed and theirs.new is not None:
                raise _Clash
            root.parts = [part for part in root.parts if part is not theirs.new]
        elif theirs.new is None:
            if theirs.old is not None:  # they took out what we changed
                raise _Clash
            root.parts.append(_rewritten(ours.new, result.newline))
        elif ours.old is None or theirs.old is None:
            if ours.new.canonical() != theirs.new.canonical():
                raise _Clash
        else:
            _merge_component(ours.old, ours.new, theirs.old, theirs.new, result.newline)


def _check_series(pairs: dict[Key, tuple[Sides, Sides]]) -> None:
    """An occurrence that one side changed or took out means nothing in a series that the other side has moved."""
    for mine, yours in ((0, 1), (1, 0)):
        moved = {key[:2] for key, sides in pairs.items() if key[-1] == "" and _touches(sides[mine], {"time"})}
        for key, sides in pairs.items():
            other = sides[yours]
            if key[:2] not in moved or not other.changed:
                continue
            if key[-1] != "" or _touches(other, _SERIES - {"time"}):
                raise _Clash


def _touches(sides: Sides, groups: set[str]) -> bool:
    return sides.old is not None and sides.new is not None and bool(_differing(sides.old, sides.new) & groups)


def _by_key(root: Component) -> dict[Key, Component]:
    found: dict[Key, Component] = {}
    for at, one in enumerate(root.components):
        if one.name == "VTIMEZONE":
            found.setdefault((one.name, one.value("TZID")), one)
        elif one.name in ("VEVENT", "VTODO", "VJOURNAL"):
            found.setdefault((one.name, one.value("UID"), one.value("RECURRENCE-ID")), one)
        else:
            found[(one.name, str(at))] = one
    return found


def _merge_component(before: Component, mine: Component, was: Component, result: Component, newline: str) -> None:
    """Put what `mine` changed since `before` into `result`, which changed since `was`."""
    ours, theirs = _differing(before, mine), _differing(was, result)
    mine_by, there_by = _grouped(mine), _grouped(result)
    for group in sorted(ours):
        if group == "components":
            _merge_several(before.components, mine.components, was.components, result, newline)
        elif group in _SEVERAL or (group in theirs and _is_several(before, mine, was, result, group)):
            _check_attendees(group, before, mine, was, result)
            old, new = (_canonical(_grouped(one).get(group, ())) for one in (before, mine))
            gone, added = Counter(old) - Counter(new), Counter(new) - Counter(old)
            _take_out(result, group, gone)
            have = set(_canonical(_grouped(result).get(group, ())))
            for line in mine_by.get(group, ()):
                if line.canonical in added and line.canonical not in have:
                    _put(result, [line], newline, group)
        else:
            if group in theirs and _canonical(mine_by.get(group, ())) != _canonical(there_by.get(group, ())):
                raise _Clash
            _replace(result, group, mine_by.get(group, []), newline)
    _housekeep(mine, result, newline)


def _is_several(before: Component, mine: Component, was: Component, result: Component, group: str) -> bool:
    """Whether any side has more than one line of an unknown property."""
    if group.startswith("@") or group in _ALIKE.values():
        return False
    return any(len(_grouped(one).get(group, ())) > 1 for one in (before, mine, was, result))


def _check_attendees(group: str, before: Component, mine: Component, was: Component, result: Component) -> None:
    """Two different answers of one person are a clash; an answer and another's are not."""
    if group != "ATTENDEE":
        return
    old, new, base, there = (
        {line.value.strip().lower(): line.canonical for line in _grouped(one).get(group, ())}
        for one in (before, mine, was, result)
    )
    for who in new.keys() | old.keys():
        we, they = new.get(who) != old.get(who), there.get(who) != base.get(who)
        if we and they and new.get(who) != there.get(who):
            raise _Clash


def _merge_several(
    old: list[Component], new: list[Component], was: list[Component], result: Component, newline: str
) -> None:
    """Alarms: each is one thing, known by its UID or by all that it says."""
    before, mine, base, there = ({_alarm(one): one for one in side} for side in (old, new, was, result.components))
    for key in before.keys() | mine.keys():
        we = (key in before) != (key in mine) or (
            key in mine and key in before and before[key].canonical() != mine[key].canonical()
        )
        if not we:
            continue
        they = (key in base) != (key in there) or (
            key in base and key in there and base[key].canonical() != there[key].canonical()
        )
        if (
            they
            and (key in mine) == (key in there)
            and (key not in mine or mine[key].canonical() == there[key].canonical())
        ):
            continue
        if they:
            raise _Clash
        result.parts = [part for part in result.parts if part is not there.get(key)]
        if key in mine:
            result.parts.append(_rewritten(mine[key], newline))


def _alarm(one: Component) -> str:
    return one.value("UID") or one.canonical()


def _differing(old: Component, new: Component) -> set[str]:
    """The groups of properties that differ, housekeeping aside; `components` where what is inside does."""
    first, second = _grouped(old), _grouped(new)
    found = {one for one in first | second if _canonical(first.get(one, ())) != _canonical(second.get(one, ()))}
    if Counter(one.canonical() for one in old.components) != Counter(one.canonical() for one in new.components):
        found.add("components")
    return found - _HOUSEKEEPING


def _grouped(component: Component) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in component.lines:
        found.setdefault(_group(line), []).append(line)
    return found


def _group(line: Line) -> str:
    return f"@{line.group}" if line.group else _ALIKE.get(line.name, line.name)


def _canonical(lines: Iterable[Line]) -> list[str]:
    return sorted(line.canonical for line in lines)


def _take_out(component: Component, group: str, gone: Counter[str]) -> None:
    kept: list[Line | Component] = []
    for part in component.parts:
        if isinstance(part, Line) and _group(part) == group and gone[part.canonical] > 0:
            gone[part.canonical] -= 1
            continue
        kept.append(part)
    component.parts = kept


def _replace(component: Component, group: str, lines: list[Line], newline: str) -> None:
    at = next((n for n, part in enumerate(component.parts) if isinstance(part, Line) and _group(part) == group), None)
    component.parts = [part for part in component.parts if not (isinstance(part, Line) and _group(part) == group)]
    fresh = [_broken(line, newline) for line in lines]
    if at is None:
        at = len(component.lines) if component.components else len(component.parts)
        at = next((n for n, part in enumerate(component.parts) if isinstance(part, Component)), at)
    component.parts[at:at] = fresh


def _put(component: Component, lines: list[Line], newline: str, group: str) -> None:
    last = [n for n, part in enumerate(component.parts) if isinstance(part, Line) and _group(part) == group]
    first = next((n for n, part in enumerate(component.parts) if isinstance(part, Component)), len(component.parts))
    at = last[-1] + 1 if last else first
    component.parts[at:at] = [_broken(line, newline) for line in lines]


def _housekeep(mine: Component, result: Component, newline: str) -> None:
    for name in ("SEQUENCE", "DTSTAMP", "LAST-MODIFIED", "REV"):
        if _is_later(mine.value(name), result.value(name)):
            _replace(result, name, [line for line in mine.lines if line.name == name][:1], newline)


def _is_later(own: str, there: str) -> bool:
    if own.isdecimal() and there.isdecimal():
        return int(own) > int(there)
    return own > there


def _broken(line: Line, newline: str) -> Line:
    """With the line breaks of the file that it goes to."""
    return Line(line.raw.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", newline) + newline)


def _rewritten(component: Component, newline: str) -> Component:
    parts: list[Line | Component] = [
        _broken(part, newline) if isinstance(part, Line) else _rewritten(part, newline) for part in component.parts
    ]
    return Component(component.name, _broken(component.begin, newline), parts, _broken(component.end, newline))
