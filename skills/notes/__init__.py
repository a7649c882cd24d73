"""Notes and lists in Markdown files of the user's own, which other editors change too. Keeps nothing anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from assistant.skillkit import AskAgain, Context, NotFound, Rejected, Result, SkillFailed, tool, undo

from . import pages
from .items import best, contains, plain, same, split_items
from .naming import NOTES, bare, group, is_common, pick, title
from .pages import Entry, Page

_SHOWN = 50
_LONGEST = 20_000
_EVERYTHING = frozenset(
    (
        "everything",
        "all",
        "all items",
        "all of it",
        "all of them",
        "全部",
        "所有",
        "一切",
        "全部内容",
        "所有内容",
        "所有东西",
    )
)
Found = tuple[Page, Entry]


@tool
async def add(ctx: Context, text: str, list: str | None = None) -> Result:
    """Write a note down, or put items on a list (shopping, to-do, packing or any other).

    text: the note in the user's words, or the items
    list: the list's name, only if the user names one
    """
    if not text.strip():
        raise AskAgain("notes.no_text", missing=("text",))
    if len(text) > _LONGEST:
        raise Rejected("notes.too_long")
    folder, there = _folder(ctx)
    name = _named(ctx, list, there) or title(NOTES, ctx.language)
    free = group(name) == NOTES
    texts = [text.strip()] if free else split_items(text, group(name)) or [text.strip()]
    found = pick(name, there)
    file = there[found] if found is not None else pages.new_file(folder, title(name, ctx.language))
    fresh: Sequence[str] = ()

    def edit(page: Page) -> Sequence[str]:
        nonlocal fresh
        open_ones = {plain(entry.text) for entry in page.entries if not entry.done}
        fresh = [one for one in texts if plain(one) not in open_ones]
        return pages.appended(page, fresh, boxes=not free, heading=title(name, ctx.language)) if fresh else page.lines

    written = pages.change(file, edit)
    if not fresh:
        raise Rejected("notes.there_already", items=texts, list=written.name)
    sentence = "notes.noted" if free else "notes.added"
    return Result(
        text=ctx.text(sentence, items=[*fresh], list=written.name, text="\n".join(fresh)),
        data={"list": written.name, "items": [*fresh]},
        undo={"do": "remove", "file": file.name, "texts": [*fresh]},
    )


@tool
async def search(ctx: Context, query: str | None = None, list: str | None = None) -> Result:
    """Read notes or a list, or find what was noted about something.

    query: words of the note, if the user looks for something
    list: the list's name; with it alone the whole list is read
    """
    _, there = _folder(ctx)
    name = _named(ctx, list, there) if list else None
    wanted = (query or "").strip()
    if name is not None and (found := pick(name, there)) is None:
        return _no_list(ctx, name, there)
    read, broken = _read([there[found]] if name is not None and found else [*there.values()])
    if broken and (name is not None or not read):
        raise broken[0]
    if wanted:
        result = _about(ctx, wanted, read, name)
    else:
        result = _whole(ctx, read[0]) if name is not None else _overview(ctx, read)
    unread = [ctx.text(f"error.{problem.code}", **problem.data) for problem in broken]
    return result.model_copy(update={"text": "\n".join((result.text, *unread))})


@tool
async def remove(ctx: Context, text: str, list: str | None = None) -> Result:
    """Take a note or items off a list: deleted, crossed off, done, bought.

    text: words of the note, or the items; "everything" empties the list that is named
    list: the list's name, only if the user names one
    """
    if not text.strip():
        raise AskAgain("notes.no_words", missing=("text",))
    _, there = _folder(ctx)
    name = _named(ctx, list, there) if list else None
    found = pick(name, there) if name is not None else None
    if name is not None and found is None:
        raise NotFound("notes.no_list", list=name, lists=[*there] or [title(NOTES, ctx.language)])
    read, broken = _read([there[found]] if found is not None else [*there.values()])
    if broken and not read:
        raise broken[0]
    entries = [(page, entry) for page in read for entry in page.entries]
    if found is not None and plain(text) in _EVERYTHING:
        if not entries:
            raise NotFound("notes.empty", list=found)
        chosen = entries
    else:
        chosen = _chosen(ctx, text, entries, group(found) if found is not None else "")
    return _taken(ctx, chosen)


@undo("add", "remove")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """What was added goes, what was removed comes back where it was."""
    folder, _ = _folder(ctx)
    if record["do"] == "remove":
        page = pages.change(folder / record["file"], lambda page: _without(page, _added(page, record["texts"])))
        if pages.has_nothing(page):
            page.file.unlink(missing_ok=True)
        return Result(text=ctx.text("notes.removed", items=record["texts"], list=page.name))
    for part in record["parts"]:
        pages.change(folder / part["file"], partial(_restored, removed=part["lines"]))
    return Result(text=ctx.text("notes.restored", items=record["texts"], list=Path(record["parts"][0]["file"]).stem))


def _folder(ctx: Context) -> tuple[Path, dict[str, Path]]:
    """The folder, and its files by the names of their lists."""
    folder: Path = ctx.settings["folder"] or ctx.folder
    return folder, {file.stem: file for file in pages.files(folder)}


def _named(ctx: Context, said: str | None, there: dict[str, Path]) -> str | None:
    """The list that was said, None for none. "The list" is the only one there is, else it is asked which."""
    if said is None or not said.strip():
        return None
    if name := bare(said):
        return name
    lists = [name for name in there if group(name) != NOTES]
    if len(lists) == 1:
        return lists[0]
    choices = lists or [title(one, ctx.language) for one in ("shopping", "todo")]
    raise AskAgain("notes.which_list", missing=("list",), choices=choices)


def _read(files: Sequence[Path]) -> tuple[list[Page], list[SkillFailed]]:
    """The pages that can be read, and why the others can't."""
    read: list[Page] = []
    broken: list[SkillFailed] = []
    for file in files:
        try:
            read.append(pages.read(file))
        except SkillFailed as problem:
            broken.append(problem)
    return read, broken


def _no_list(ctx: Context, name: str, there: dict[str, Path]) -> Result:
    """A list everybody has is empty before it is begun; one that nobody began is not known."""
    if is_common(name):
        return Result(text=ctx.text("notes.list_empty", list=title(name, ctx.language)), data={"items": []})
    raise NotFound("notes.no_list", list=name, lists=[*there] or [title(NOTES, ctx.language)])


def _about(ctx: Context, wanted: str, read: Sequence[Page], name: str | None) -> Result:
    found = [(page, entry) for page in read for entry in page.entries if contains(entry.text, wanted)]
    if not found:
        if name is None and (named := pick(bare(wanted), [page.name for page in read])) is not None:
            return _whole(ctx, next(page for page in read if page.name == named))
        return Result(text=ctx.text("notes.nothing_about", query=wanted), data={"items": []})
    lines = [ctx.text("notes.found", count=len(found))]
    lines += [f"- {ctx.text('notes.line', text=_shown(entry), list=page.name)}" for page, entry in found[:_SHOWN]]
    return Result(text="\n".join([*lines, *_more(ctx, len(found))]), data={"items": _items(found)})


def _whole(ctx: Context, page: Page) -> Result:
    entries = page.entries
    if not entries:
        return Result(text=ctx.text("notes.list_empty", list=page.name), data={"items": []})
    sentence = "notes.notes" if group(page.name) == NOTES else "notes.list"
    lines = [ctx.text(sentence, count=len(entries), list=page.name)]
    lines += [f"- {_shown(entry)}" for entry in entries[:_SHOWN]]
    return Result(
        text="\n".join([*lines, *_more(ctx, len(entries))]), data={"items": _items([(page, one) for one in entries])}
    )


def _overview(ctx: Context, read: Sequence[Page]) -> Result:
    """The free notes, and how much is on each list."""
    parts: list[str] = []
    found: list[Found] = []
    for page in sorted(read, key=lambda page: group(page.name) != NOTES):
        if group(page.name) == NOTES and page.entries:
            parts.append(_whole(ctx, page).text)
        elif group(page.name) != NOTES:
            parts.append(f"{ctx.text('notes.count', list=page.name, count=len(page.entries))}")
        found += [(page, entry) for entry in page.entries]
    return Result(text="\n".join(parts) or ctx.text("notes.none"), data={"items": _items(found)})


def _chosen(ctx: Context, text: str, entries: Sequence[Found], list_group: str) -> list[Found]:
    """The entries that the words mean, all of them or none. Raises NotFound, AskAgain."""
    lines = [(entry.text, ctx.text("notes.line", text=entry.text, list=page.name)) for page, entry in entries]
    pieces = [text]
    if not any(same(text, form) for line in lines for form in line):
        pieces = split_items(text, list_group)
    chosen: list[Found] = []
    for piece in pieces or [text]:
        picked = best(piece, lines)
        if not picked:
            raise NotFound("notes.not_found", text=piece)
        if len({lines[index][1] for index in picked}) > 1:
            choices = list(dict.fromkeys(lines[index][1] for index in picked))
            raise AskAgain("notes.which", missing=("text",), choices=choices, text=piece)
        open_first = min((entries[index] for index in picked), key=lambda found: found[1].done)
        if open_first not in chosen:
            chosen.append(open_first)
    return chosen


def _taken(ctx: Context, chosen: Sequence[Found]) -> Result:
    parts: list[dict[str, Any]] = []
    for page in dict.fromkeys(page for page, _ in chosen):
        mine = sorted((entry for one, entry in chosen if one == page), key=lambda entry: entry.first)
        pages.change(page.file, partial(_without_all, wanted=mine))
        lines = [[one.first, list(page.lines[one.first : one.last])] for one in mine]
        parts.append({"file": page.file.name, "lines": lines})
    texts = [entry.text for _, entry in chosen]
    names = list(dict.fromkeys(page.name for page, _ in chosen))
    return Result(
        text=ctx.text("notes.removed", items=texts, list=names[0] if len(names) == 1 else names),
        data={"items": _items(chosen)},
        undo={"do": "restore", "parts": parts, "texts": texts},
    )


def _without_all(page: Page, wanted: Sequence[Entry]) -> list[str]:
    """The page's lines but the entries, wherever they are by now. Raises NotFound where one is gone."""
    left = page.entries
    gone: list[Entry] = []
    for one in wanted:
        alike = [entry for entry in left if (entry.text, entry.done) == (one.text, one.done)]
        if not alike:
            raise NotFound("notes.gone", text=one.text, list=page.name)
        nearest = min(alike, key=lambda entry: abs(entry.first - one.first))
        left.remove(nearest)
        gone.append(nearest)
    return _without(page, gone)


def _added(page: Page, texts: Sequence[str]) -> list[Entry]:
    """The last entries of these texts, open ones first. Raises NotFound where one is gone."""
    left = sorted(page.entries, key=lambda entry: (entry.done, -entry.first))
    found: list[Entry] = []
    for text in texts:
        entry = next((one for one in left if same(one.text, text)), None)
        if entry is None:
            raise NotFound("notes.gone", text=text, list=page.name)
        left.remove(entry)
        found.append(entry)
    return found


def _without(page: Page, gone: Sequence[Entry]) -> list[str]:
    numbers = {number for entry in gone for number in range(entry.first, entry.last)}
    return [line for number, line in enumerate(page.lines) if number not in numbers]


def _restored(page: Page, removed: Sequence[tuple[int, list[str]]]) -> list[str]:
    lines = list(page.lines)
    for first, entry in removed:
        place = min(first, len(lines))
        if place and lines[place - 1][-1:] not in ("\r", "\n"):
            lines[place - 1] += page.end
        lines[place:place] = entry
    return lines


def _shown(entry: Entry) -> str:
    text = entry.text.replace("\n", "\n  ")
    return f"✓ {text}" if entry.done else text


def _more(ctx: Context, count: int) -> list[str]:
    return [ctx.text("notes.more", count=count - _SHOWN)] if count > _SHOWN else []


def _items(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [{"text": entry.text, "list": page.name, "done": entry.done} for page, entry in found[:_SHOWN]]
