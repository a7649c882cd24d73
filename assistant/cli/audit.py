"""`assistant audit`: what was done, decided and approved, and whether the record is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.ask import parse_moment
from assistant.cli.exits import ExitCode
from assistant.cli.help import Command
from assistant.cli.shell import Shell

if TYPE_CHECKING:
    from assistant.client import Client
    from assistant.safety.audit import Audit

Found = TypeVar("Found")
_DIGEST = re.compile(r"[0-9a-f]{32,}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    for function in (show, verify, export):
        commands.command(cls=Command)(function)
    app.add_typer(commands, name="audit", rich_help_panel="care")


def show(
    context: typer.Context,
    limit: int = typer.Option(30, metavar="N", min=1),
    since: str = typer.Option("", metavar="ISO"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Show the latest entries."""
    shell = shells.of(context)
    shell.as_json = as_json
    entries = _entries(shell, limit, since)
    if as_json:
        shell.json({"items": entries})
        return
    if not entries:
        shell.say("audit.none")
        return
    rows = [
        (str(entry.get("n", "")), _at(shell, entry), str(entry.get("kind", "")), _gist(entry))
        for entry in reversed(entries)
    ]
    shell.table("audit", ("number", "at", "kind", "what"), rows)


def verify(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """Check the chain."""
    shell = shells.of(context)
    shell.as_json = as_json
    report = _from_daemon(shell, lambda client: client.verify_audit())
    if report is None:
        audit = _on_disk(shell)
        report = audit.verify().model_dump(mode="json") if audit else {"ok": True, "entries": 0}
    whole = bool(report.get("ok"))
    if as_json:
        shell.json(report)
    elif whole:
        shell.say("audit.whole", count=int(report.get("entries", 0)), style="green")
        if report.get("restored"):
            shell.line(
                shell.catalogue.text(shell.language, "safety.audit.restored", n=report["restored"]), style="yellow"
            )
    else:
        problem = f"safety.audit.{report.get('problem')}"
        shell.say("audit.broken", number=str(report.get("first_bad") or "–"), style="red")
        if shell.catalogue.has(problem):
            shell.line(shell.catalogue.text(shell.language, problem, **report), style="red")
    raise typer.Exit(ExitCode.OK if whole else ExitCode.FAILED)


def export(context: typer.Context, file: Path = typer.Argument(metavar="FILE")) -> None:
    """Write the whole chain to a file, so that another can check it."""
    shell = shells.of(context)
    audit = _on_disk(shell)
    if audit is None:
        shell.say("audit.none")
        return
    count = audit.export(file.expanduser().absolute())
    shell.say("audit.exported", count=count, file=file)


def _entries(shell: Shell, limit: int, since: str) -> list[dict[str, Any]]:
    """Newest first; from the daemon, or from the disk where it does not run."""
    moment = parse_moment(since).astimezone(shell.clock.zone) if since else None
    entries = _from_daemon(shell, lambda client: client.audit(limit=limit, since=moment))
    if entries is None:
        audit = _on_disk(shell)
        found = audit.entries(limit, moment) if audit else []
        entries = [entry.model_dump(mode="json") for entry in found]
    return entries


def _from_daemon(shell: Shell, ask: Callable[[Client], Awaitable[Found]]) -> Found | None:
    from assistant.client import NotRunning

    async def work() -> Found:
        async with shell.client() as client:
            return await ask(client)

    with suppress(NotRunning):
        return shell.run(work())
    return None


def _on_disk(shell: Shell) -> Audit | None:
    """The audit in the database; None where there is no database yet."""
    from assistant.errors import AssistantError
    from assistant.safety.audit import Audit
    from assistant.safety.seal import read
    from assistant.safety.secrets import open_secrets
    from assistant.store.database import open_database

    if not shell.paths.database.exists():
        return None
    audit = Audit(open_database(shell.paths.database), shell.clock)
    with suppress(AssistantError):  # a locked keyring: the head still tells
        audit.sealed = shell.run(read(open_secrets(shell.paths)))
    return audit


def _at(shell: Shell, entry: dict[str, Any]) -> str:
    try:
        return shell.moment(datetime.fromisoformat(str(entry.get("at", ""))))
    except ValueError:
        return str(entry.get("at", ""))


def _gist(entry: dict[str, Any]) -> str:
    """The entry's data on one line; digests and nested data are for `--json`."""
    data = entry.get("data")
    told = data.items() if isinstance(data, dict) else ()
    return ", ".join(
        f"{key}={_short(value)}"
        for key, value in told
        if not isinstance(value, dict) and not _DIGEST.fullmatch(str(value))
    )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
