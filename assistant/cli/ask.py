"""`assistant ask`: one turn from the shell."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from assistant.cli import shell as shells
from assistant.cli.exits import UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ask", cls=Command, rich_help_panel="talk")(ask)


def ask(
    context: typer.Context,
    text: str = typer.Argument(metavar="TEXT"),
    as_json: bool = typer.Option(False, "--json"),
    dry_run: bool = typer.Option(False, "--dry-run"),
    now: str = typer.Option("", metavar="ISO"),
    user_context: Path | None = typer.Option(None, "--context", metavar="FILE"),
    session: str = typer.Option("default", metavar="NAME"),
    yes_to_none: bool = typer.Option(False, "--yes-to-none"),
) -> None:
    """Say one thing."""
    shell = shells.of(context)
    shell.as_json = as_json
    said = said_text(text)
    if dry_run:
        _dry_run(shell, said, now, user_context)
        return
    if now or user_context:
        raise UsageProblem("cli.needs_dry_run")
    _turn(shell, said, session, yes_to_none)


def said_text(text: str) -> str:
    """The words; `-` reads them from the standard input. Raises UsageProblem where there are none."""
    said = sys.stdin.read() if text == "-" else text
    if not said.strip():
        raise UsageProblem("cli.nothing_said")
    return said.strip()


def _dry_run(shell: Shell, text: str, now: str, file: Path | None) -> None:
    from assistant.cli.userfile import read_user
    from assistant.client import ensure_running
    from assistant.models import Plan

    user, moment = read_user(file) if file else (None, None)
    if now:
        moment = parse_moment(now)

    async def work() -> Plan:
        await ensure_running(shell.paths)
        async with shell.client() as client:
            return await client.plan(text, now=moment, context=user)

    plan = shell.run(work())
    if shell.as_json:
        shell.json(plan.model_dump(mode="json", exclude_none=True))
        return
    _show_plan(shell, plan)


def parse_moment(text: str) -> datetime:
    """An ISO 8601 date and time. Raises UsageProblem."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageProblem("cli.not_iso", value=text) from error


def _show_plan(shell: Shell, plan: Any) -> None:
    from assistant.cli.render import tool_line

    shell.say(f"ask.would_{plan.kind}", style="bold")
    for number, call in enumerate(plan.calls):
        shell.line(f"  {number}. {tool_line(call.tool, call.args)}")
    if plan.missing:
        shell.say("ask.missing", missing=plan.missing)
    if plan.reply:
        shell.line(plan.reply)
    shell.note(shell.text("ask.decided", via=shell.text(f"ask.via_{plan.via}"), ms=plan.ms))


def _turn(shell: Shell, text: str, session: str, yes_to_none: bool) -> None:
    from assistant.cli.talk import Talk

    with Talk(shell, session=session, present=not yes_to_none, quiet=shell.as_json) as talk:
        talk.connect()
        outcome = talk.turn(text)
        if not shell.as_json:
            outcome = talk.settle(outcome)
    if shell.as_json:
        events = [event.model_dump(mode="json") for event in outcome.events]
        shell.json({"reply": outcome.reply, "events": events})
    raise typer.Exit(outcome.exit)
