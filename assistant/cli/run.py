"""`assistant run`: each line of a file as a turn, with nobody there to be asked."""

from __future__ import annotations

import os
import sys

import typer

from assistant.cli import shell as shells
from assistant.cli.exits import ExitCode
from assistant.cli.help import Command


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", cls=Command, rich_help_panel="talk")(run)


def run(
    context: typer.Context,
    file: str = typer.Argument(metavar="FILE"),
    session: str = typer.Option("", metavar="NAME"),
    keep_going: bool = typer.Option(False, "--keep-going"),
) -> None:
    """Say each line of a file."""
    from assistant.cli.talk import Talk

    shell = shells.of(context)
    lines = [line.strip() for line in _read(file).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    worst = ExitCode.OK
    with Talk(shell, session=session or f"run-{os.getpid()}", present=False) as talk:
        talk.connect()
        for line in lines:
            shell.line(f"> {line}", style="bold")
            outcome = talk.turn(line)
            talk.settle(outcome)
            if outcome.exit is ExitCode.FAILED or worst is ExitCode.OK:
                worst = outcome.exit
            if outcome.exit is ExitCode.FAILED and not keep_going:
                break
    raise typer.Exit(worst)


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    with open(file, encoding="utf-8-sig", errors="replace") as lines:
        return lines.read()
