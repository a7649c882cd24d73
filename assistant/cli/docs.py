"""Writes `docs/cli.md` and `docs/cli.zh.md` from the live command line: `python -m assistant.cli.docs [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from typer.main import get_command

from assistant.cli.exits import ExitCode
from assistant.cli.help import localize, page, walk
from assistant.cli.main import app
from assistant.cli.shell import Shell
from assistant.models import Language

FOLDER = Path(__file__).parents[2] / "docs"
FILES: dict[Language, str] = {"en": "cli.md", "zh": "cli.zh.md"}
_WIDTH = 96


def document(language: Language) -> str:
    """The whole page in Markdown."""
    shell = Shell(language)
    root = get_command(app)
    localize(root, shell)
    parts = [f"# {shell.text('docs.title')}", shell.text("docs.made"), shell.text("docs.intro").strip()]
    codes = [f"| {int(code)} | {shell.text(f'docs.exit.{code.name.lower()}')} |" for code in ExitCode]
    head = f"| {shell.text('docs.code')} | {shell.text('docs.meaning')} |\n|---|---|"
    parts.append(f"## {shell.text('docs.codes')}\n\n" + "\n".join([head, *codes]))
    for path, command in walk(root):
        title = " ".join(("assistant", *path))
        text = page(command, _context(root, path, shell), width=_WIDTH).rstrip()
        parts.append(f"{'#' * min(len(path) + 2, 3)} `{title}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def _context(root: Any, path: tuple[str, ...], shell: Shell) -> Any:
    context = root.make_context("assistant", [], resilient_parsing=True, obj=shell)
    command = root
    for name in path:
        command = command.commands[name]
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    return context


def main() -> None:
    """Write the files, or with `--check` say whether they are current."""
    stale = [name for language, name in FILES.items() if _stale(FOLDER / name, document(language))]
    if "--check" in sys.argv[1:]:
        sys.exit(1 if stale else 0)
    FOLDER.mkdir(exist_ok=True)
    for language, name in FILES.items():
        (FOLDER / name).write_text(document(language), encoding="utf-8")


def _stale(file: Path, wanted: str) -> bool:
    return not file.exists() or file.read_text(encoding="utf-8") != wanted


if __name__ == "__main__":
    main()
