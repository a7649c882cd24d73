"""`assistant doctor`: looks at every part from outside and says what is wrong and how to mend it. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import typer

from assistant.cli import shell as shells
from assistant.cli.exits import ExitCode, explain
from assistant.cli.help import Command
from assistant.cli.shell import Shell
from assistant.errors import AssistantError

State = Literal["ok", "warn", "bad"]
_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "bad": ("✗", "bold red")}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. The sentence is `cli.doctor.<key>`, its mend `cli.doctor.<key>_mend` where there is one."""

    area: str
    state: State
    key: str
    data: dict[str, Any] = field(default_factory=dict)


Check = Callable[[Shell], Iterator[Finding]]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", cls=Command, rich_help_panel="setup")(doctor)


def doctor(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """Look for what is wrong."""
    from assistant.cli.checks import CHECKS

    shell = shells.of(context)
    shell.as_json = as_json
    found: list[dict[str, str]] = []
    for area, check in CHECKS:
        for told in _findings(shell, area, check):
            found.append(told)
            if not as_json:
                _show(shell, told)
    sound = all(told["state"] != "bad" for told in found)
    if as_json:
        shell.json({"ok": sound, "checks": found})
    else:
        shell.line("")
        shell.say("doctor.sound" if sound else "doctor.unsound", style="bold")
    raise typer.Exit(ExitCode.OK if sound else ExitCode.FAILED)


def _findings(shell: Shell, area: str, check: Check) -> Iterator[dict[str, str]]:
    """A check's findings in words. One that fails itself is a finding, and the others go on."""
    try:
        for finding in check(shell):
            key = f"doctor.{finding.key}"
            mend = shell.text(f"{key}_mend", **finding.data) if shell.catalogue.has(f"cli.{key}_mend") else ""
            message = shell.text(key, **finding.data)
            yield {"area": finding.area, "state": finding.state, "message": message, "mend": mend}
    except (AssistantError, OSError) as error:
        told = explain(error, shell.catalogue, shell.language)
        yield {"area": area, "state": "bad", "message": told.message, "mend": told.mend}


def _show(shell: Shell, told: dict[str, str]) -> None:
    mark, style = _MARKS[told["state"]]
    shell.line(f"{mark} ", style=style, end="")
    shell.line(told["message"])
    if told["mend"]:
        shell.line(f"  → {told['mend']}", style="dim" if told["state"] == "ok" else "")
