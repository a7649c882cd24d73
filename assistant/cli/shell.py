"""What every command is given: the language, the folders, the settings, and how to print. Knows no command."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assistant import paths as folders
from assistant.cli.exits import UsageProblem
from assistant.locale.catalogue import LANGUAGES, Catalogue
from assistant.models import Language

if TYPE_CHECKING:
    import typer

    from assistant.client import Client
    from assistant.clock import SystemClock
    from assistant.config import Loaded

_PIPE_WIDTH = 240  # a table read by another program is not broken into a terminal's 80 columns
_NARROW = 12  # a column whose cells are broken keeps at least this width
_GAP = 2
_SHORT_ID = 8
_LONG_ID = 16
_GLOBAL_WITH_VALUE = ("--language", "--home")
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What would break a line, turn the terminal's direction, or can't be written as UTF-8."""

Value = TypeVar("Value")


@dataclass
class Shell:
    """One run of the command."""

    language: Language
    debug: bool = False
    as_json: bool = False
    """Set by a command with `--json`: failures are then JSON on the standard output as well."""
    catalogue: Catalogue = field(default_factory=cache(Catalogue))

    @cached_property
    def paths(self) -> folders.Paths:
        """Where everything lives."""
        return folders.find()

    @cached_property
    def loaded(self) -> Loaded:
        """The settings. Raises ConfigError."""
        from assistant.config import load

        return load(self.paths.config_file)

    @cached_property
    def clock(self) -> SystemClock:
        """The time in the user's zone."""
        from assistant.clock import SystemClock

        return SystemClock(self.loaded.config.assistant.zone)

    @cached_property
    def out(self) -> Console:
        """Standard output."""
        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = _PIPE_WIDTH
        return console

    @cached_property
    def err(self) -> Console:
        """Standard error: questions, progress, problems; never what a script wants to read."""
        return Console(stderr=True, highlight=False, markup=False, emoji=False)

    def client(self) -> Client:
        """A client of the daemon, not connected yet."""
        from assistant.client import Client

        return Client(self.paths, language=self.language)

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Run asynchronous work to its end."""
        import asyncio

        return asyncio.run(work)

    # --- words -----------------------------------------------------------------------------------------------

    def text(self, key: str, /, **data: Any) -> str:
        """A sentence of this part of the catalogue (`cli.<key>`)."""
        return self.catalogue.text(self.language, f"cli.{key}", **data)

    def say(self, key: str, /, *, style: str = "", **data: Any) -> None:
        """Print a sentence of the catalogue."""
        self.line(self.text(key, **data), style=style)

    def line(self, text: str, *, style: str = "", end: str = "\n") -> None:
        """Print words as they are, made safe for a terminal; long lines are left to the terminal to break."""
        self.out.print(Text(clean(text), style=style), end=end, soft_wrap=True)

    def note(self, text: str, *, style: str = "dim", end: str = "\n") -> None:
        """Print beside the result, on the standard error."""
        self.err.print(Text(clean(text), style=style), end=end, soft_wrap=True)

    def json(self, data: Any) -> None:
        """Print one JSON object on one line."""
        text = json.dumps(data, ensure_ascii=False, default=str)
        sys.stdout.write(_UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
        sys.stdout.flush()

    def table(self, part: str, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        """Print a table; `columns` are keys below `cli.<part>.column.`."""
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
        cells = [[cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row] for row in rows]
        titles = [self.text(f"{part}.column.{column}") for column in columns]
        widths = [max(cell_len(title), *(row[n].cell_len for row in cells), 0) for n, title in enumerate(titles)]
        broken = _broken_columns(widths, self.out.width)
        for number, title in enumerate(titles):
            breaks = number in broken
            table.add_column(title, overflow="fold", no_wrap=not breaks, min_width=_NARROW if breaks else None)
        for row in cells:
            table.add_row(*row)
        self.out.print(table)

    def moment(self, when: datetime) -> str:
        """A date and a time in the user's zone, short and sortable."""
        return when.astimezone(self.clock.zone).strftime("%Y-%m-%d %H:%M")

    def note_restart(self) -> None:
        """A change of the settings counts from the daemon's next start: said where one runs."""
        if self.paths.socket.exists():
            self.note(self.text("config.restart"))

    # --- asking ----------------------------------------------------------------------------------------------

    @property
    def interactive(self) -> bool:
        """Whether a person sits at the terminal and can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, key: str, /, *, default: str = "", **data: Any) -> str:
        """Ask for a line; `default` where nothing is typed or the input ends."""
        self.note(self.text(key, **data) + " ", style="bold", end="")
        self.err.file.flush()
        try:
            return input().strip() or default
        except EOFError:
            self.note("")
            return default

    def secret(self, prompt: str) -> str:
        """Ask for something that must not be seen; a line of the standard input where nobody sits there."""
        if sys.stdin.isatty():
            from getpass import getpass

            return getpass(clean(prompt), stream=sys.stderr)
        if self.interactive:
            self.note(prompt, style="bold")
        return sys.stdin.readline().rstrip("\r\n")

    def confirm(self, key: str, /, *, default: bool = False, **data: Any) -> bool:
        """Ask for yes or no, in either language."""
        answer = self.ask(key, **data).casefold()
        return default if not answer else is_yes(answer)

    def edit(self, file: Path) -> None:
        """Open a file in the person's editor. Raises UsageProblem where none is named or found."""
        command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            subprocess.run([*shlex.split(command), str(file)], check=False)
        except FileNotFoundError as error:
            raise UsageProblem("cli.no_editor", editor=command) from error


def _broken_columns(widths: Sequence[int], room: int) -> set[int]:
    """Which columns must be broken for the table to fit: the widest first, the first column last."""
    broken: set[int] = set()
    needed = sum(widths) + _GAP * len(widths)
    for number in sorted(range(1, len(widths)), key=lambda number: -widths[number]):
        if needed <= room:
            break
        broken.add(number)
        needed -= max(0, widths[number] - _NARROW)
    return broken if needed <= room else set(range(len(widths)))


def of(context: typer.Context) -> Shell:
    """The shell that a command runs in."""
    return cast(Shell, context.obj)


def short_id(id: str) -> str:
    """The beginning of a long id, which every command takes for the whole."""
    return id[:_SHORT_ID] if len(id) > _LONG_ID else id


def is_yes(answer: str) -> bool:
    """Whether a typed answer is a yes, in English or Chinese."""
    return answer.strip().casefold() in {"y", "yes", "ok", "是", "是的", "好", "好的", "确认", "同意"}


def is_no(answer: str) -> bool:
    """Whether a typed answer is a no, in English or Chinese."""
    return answer.strip().casefold() in {"n", "no", "否", "不", "不要", "不是", "拒绝", "取消"}


def clean(text: str) -> str:
    """The text with control and direction characters made visible: mail and models may not drive the terminal."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category == "Cc":
        code = ord(character)
        return chr(0x2400 + code) if code < 0x20 else f"<{code:02X}>"
    if category == "Cf" and unicodedata.bidirectional(character) in _TURNING:
        return f"<U+{ord(character):04X}>"
    if category == "Cs":
        return "\ufffd"
    return character


_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def early_options(arguments: Sequence[str]) -> dict[str, str]:
    """The global options that stand before the command: they decide the language of everything, help included."""
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name, separator, value = rest.pop(0).partition("=")
        if name in _GLOBAL_WITH_VALUE and not separator:
            value = rest.pop(0) if rest else ""
        found[name] = value
    return found


def choose_language(wanted: str, environment: Mapping[str, str]) -> Language:
    """The flag's language, else the settings', else the environment's locale, else English."""
    for candidate in (wanted, _configured()):
        if candidate in LANGUAGES:
            return candidate
    named = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if named.casefold().startswith("zh") else "en"


def _configured() -> str:
    from assistant.config import load
    from assistant.errors import ConfigError

    try:
        return load(folders.find().config_file).config.assistant.language
    except ConfigError:
        return "auto"  # said by the command that needs the settings
