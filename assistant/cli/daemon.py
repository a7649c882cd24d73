"""`assistant daemon`: start, stop and look at the program that does the work."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.exits import Unfit
from assistant.cli.help import Command
from assistant.cli.shell import Shell

if TYPE_CHECKING:
    from assistant.client import Health

_STOP_WITHIN = 30  # seconds: an answer that is being written is given time to end


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    for function in (start, stop, restart, status, backup):
        commands.command(cls=Command)(function)
    commands.command("run", cls=Command)(run)
    app.add_typer(commands, name="daemon", rich_help_panel="setup")


def run(context: typer.Context) -> None:
    """Run it here, until Ctrl-C."""
    import asyncio

    from assistant.entrance import serve

    shell = shells.of(context)
    loaded = shell.loaded
    shell.paths.make()
    asyncio.run(serve(shell.paths, lambda: loaded))


def start(context: typer.Context) -> None:
    """Start it in the background."""
    from assistant.client import ensure_running

    shell = shells.of(context)
    _ = shell.loaded  # a mistake in the settings is said here, not in a log
    before = _health(shell)
    health = shell.run(ensure_running(shell.paths))
    shell.say("daemon.already" if before else "daemon.started", pid=health.pid)


def stop(context: typer.Context) -> None:
    """Stop it."""
    shell = shells.of(context)
    health = _health(shell)
    if health is None:
        shell.say("daemon.not_running")
        return
    _stop(shell, health.pid)
    shell.say("daemon.stopped")


def restart(context: typer.Context) -> None:
    """Stop and start it."""
    shell = shells.of(context)
    health = _health(shell)
    if health is not None:
        _stop(shell, health.pid)
    start(context)


def renew(shell: Shell) -> None:
    """Have it run with the settings as they are now: started again, or started."""
    from assistant.client import ensure_running

    health = _health(shell)
    if health is not None:
        _stop(shell, health.pid)
    shell.run(ensure_running(shell.paths))


@contextmanager
def stopped(shell: Shell) -> Iterator[None]:
    """Do something while it does not run; it is started again where it ran."""
    from assistant.client import ensure_running

    health = _health(shell)
    if health is not None:
        _stop(shell, health.pid)
    try:
        yield
    finally:
        if health is not None:
            shell.run(ensure_running(shell.paths))


def status(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """Say how it is."""
    from assistant.client import NotRunning

    shell = shells.of(context)
    shell.as_json = as_json
    health = _health(shell)
    if health is None:
        raise NotRunning()
    if as_json:
        shell.json(health.model_dump(mode="json"))
        return
    shell.say("daemon.running", pid=health.pid, version=health.version, style="green")
    shell.say("daemon.uptime", time=duration(shell, health.uptime_s))
    model = str(health.model.get("model") or health.model.get("name") or "")
    shell.line(shell.text("daemon.model", model=model) if model else shell.text("daemon.no_model"))
    loaded = [str(name) for name in health.skills.get("loaded", [])]
    shell.say("daemon.skills", skills=loaded or ["–"])
    for problem in health.skills.get("problems", []):
        shell.say("daemon.skill_problem", problem=_words(problem), style="yellow")
    if not health.learns:
        shell.say("daemon.not_learning", style="yellow")
    for notice in health.notices:
        shell.line(f"! {notice.get('title', '')}", style="yellow")
        shell.line(f"  {notice.get('body', '')}")
    shell.say("daemon.socket", socket=shell.paths.socket, style="dim")


def backup(context: typer.Context) -> None:
    """Make a backup of the database now."""
    from assistant.store.backups import make_daily

    shell = shells.of(context)
    if not shell.paths.database.exists():
        shell.say("daemon.nothing_to_back_up")
        return
    made = make_daily(shell.paths.database, shell.clock.now())
    shell.say("daemon.backed_up", file=made.file, style="green")


def _words(problem: object) -> str:
    return " ".join(str(part) for part in problem.values()) if isinstance(problem, dict) else str(problem)


def duration(shell: Shell, seconds: float) -> str:
    """A length of time in words."""
    from datetime import timedelta

    from babel.dates import format_timedelta

    from assistant.locale.catalogue import locale

    return format_timedelta(timedelta(seconds=seconds), threshold=1.6, locale=locale(shell.language))


def _health(shell: Shell) -> Health | None:
    """Its health, or None where it does not run. Raises NoAnswer where it hangs."""
    from assistant.client import NotRunning

    async def work() -> Health:
        async with shell.client() as client:
            return await client.health()

    with suppress(NotRunning):
        return shell.run(work())
    return None


def _stop(shell: Shell, pid: int) -> None:
    """Ask the process to end and wait for it. Raises Unfit where it does not."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    shell.note(shell.text("daemon.stopping"))
    until = time.monotonic() + _STOP_WITHIN
    while _alive(pid):
        if time.monotonic() > until:
            raise Unfit("cli.will_not_stop", pid=pid)
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and was not reaped by its parent does not."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
