"""The files that notes lie in: read, and changed a line at a time, so that what a person wrote around them stays.

An entry is a list item (`- `, `* `, `1. `, with or without a check box) or a line of plain text; headings, blank lines,
comments, code and front matter are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.skillkit import AccountError, Conflict, Rejected, SkillFailed, write_whole

from .naming import file_name

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_ITEM = re.compile(r"^(?P<indent>\s*)(?:[-*+]|\d{1,9}[.)])\s+(?:\[(?P<box>[ xX])\]\s+)?(?P<text>\S.*)$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_NO_ENTRY = re.compile(r"^\s*(?:#{1,6}(?:\s|$)|<!--|-->|(?:[-*_]\s*){3,}$|=+\s*$|\|)")
_ENDINGS = (".md", ".markdown", ".txt")
_TRIES = 3


@dataclass(frozen=True)
class Entry:
    """One note or item, and the lines it takes."""

    text: str
    done: bool
    first: int
    last: int
    """The line behind its own."""


@dataclass(frozen=True)
class Page:
    """A file of entries."""

    file: Path
    lines: tuple[str, ...]
    """With their ends."""
    stamp: tuple[int, int] | None
    """None for a file that is not there yet."""

    @property
    def name(self) -> str:
        """The list's name."""
        return self.file.stem

    @property
    def entries(self) -> list[Entry]:
        """What the file holds, in its order."""
        return _entries([line.rstrip("\r\n") for line in self.lines])

    @property
    def end(self) -> str:
        """How the file ends its lines."""
        return "\r\n" if self.lines and self.lines[0].endswith("\r\n") else "\n"


def files(folder: Path) -> list[Path]:
    """The notes' files of the folder, by name."""
    return sorted(file for file in folder.glob("[!.]*") if file.suffix.lower() in _ENDINGS and file.is_file())


def new_file(folder: Path, name: str) -> Path:
    """Where a list of this name would lie."""
    return folder / f"{file_name(name)}.md"


def read(file: Path) -> Page:
    """Raises Rejected for a file that is no UTF-8 text, AccountError for one that can't be opened."""
    try:
        status = file.stat()
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return Page(file, (), None)
    except UnicodeDecodeError as error:
        raise Rejected("notes.no_utf8", file=str(file)) from error
    except OSError as error:
        raise AccountError("notes.unreadable", file=str(file), problem=error.strerror or str(error)) from error
    return Page(file, tuple(_LINE.findall(text)), (status.st_mtime_ns, status.st_size))


def change(file: Path, edit: Callable[[Page], Sequence[str]]) -> Page:
    """Write what `edit` makes of the page; done again where an editor saved the file meanwhile. Raises SkillFailed."""
    for _ in range(_TRIES):
        page = read(file)
        lines = tuple(edit(page))
        if lines == page.lines:
            return page
        if read(file).stamp == page.stamp:
            break
    else:
        raise Conflict("notes.busy", file=str(file))
    try:
        write_whole(file, "".join(lines).encode("utf-8"))
    except OSError as error:
        raise SkillFailed("notes.not_written", file=str(file), problem=error.strerror or str(error)) from error
    return Page(file, lines, None)


def appended(page: Page, texts: Sequence[str], *, boxes: bool, heading: str) -> list[str]:
    """The page's lines with new entries behind the last one, or at its end."""
    end = page.end
    lines = list(page.lines) or [f"# {heading}{end}", end]
    entries = page.entries
    place = entries[-1].last if entries else len(lines)
    if lines[place - 1][-1:] not in "\r\n":
        lines[place - 1] += end
    lines[place:place] = [written(text, boxes=boxes, end=end) for text in texts]
    return lines


def written(text: str, *, boxes: bool, end: str) -> str:
    """An entry as its lines; further lines of a note are indented below the first (CommonMark, list items)."""
    first, *more = [line.strip() for line in text.splitlines() if line.strip()]
    return "".join([f"- {'[ ] ' if boxes else ''}{first}{end}", *(f"  {line}{end}" for line in more)])


def has_nothing(page: Page) -> bool:
    """Whether nothing but a heading is left of what `appended` began."""
    return all(not line.strip() or line.startswith("# ") for line in page.lines) and len(page.lines) <= 2


def _entries(lines: Sequence[str]) -> list[Entry]:
    entries: list[Entry] = []
    fenced, at = False, _front_matter(lines)
    while at < len(lines):
        line, first = lines[at].removeprefix("\ufeff"), at
        at += 1
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and line.strip() and not _NO_ENTRY.match(line):
            item = _ITEM.match(line)
            text = [item["text"] if item else line.strip()]
            while item and at < len(lines) and _goes_on(lines[at], item["indent"]):
                text.append(lines[at].strip())
                at += 1
            entries.append(Entry("\n".join(text).strip(), bool(item and item["box"] in ("x", "X")), first, at))
    return entries


def _goes_on(line: str, indent: str) -> bool:
    """Whether a line belongs to the item above it: indented more, and no item itself."""
    deeper = line.startswith((f"{indent}  ", f"{indent}\t"))
    return bool(line.strip()) and deeper and not _ITEM.match(line) and not _FENCE.match(line)


def _front_matter(lines: Sequence[str]) -> int:
    """The number of the first line behind a block of YAML at the top."""
    if not lines or lines[0].removeprefix("\ufeff").rstrip() != "---":
        return 0
    return next((at + 1 for at, line in enumerate(lines) if at and line.rstrip() in ("---", "...")), 0)
