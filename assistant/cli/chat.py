"""`assistant chat`: a conversation at the terminal, with history, approvals in place and notices as they come."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import typer

from assistant.cli import shell as shells
from assistant.cli.exits import explain
from assistant.cli.help import Command
from assistant.cli.shell import Shell
from assistant.errors import AssistantError

_HISTORY_LINES = 1000
_PROMPT = "> "


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chat", cls=Command, rich_help_panel="talk")(chat)


def chat(context: typer.Context, session: str = typer.Option("chat", metavar="NAME")) -> None:
    """Talk."""
    from assistant.cli.talk import Talk

    shell = shells.of(context)
    with Talk(shell, session=session, present=True) as talk:
        talk.connect()
        shell.note(shell.text("chat.welcome"))
        at_prompt = threading.Event()
        with _history(shell.paths.state / "chat_history"), _notices(shell, at_prompt):
            while True:
                at_prompt.set()
                try:
                    line = input(_PROMPT).strip()
                except EOFError:
                    shell.note("")
                    return
                except KeyboardInterrupt:
                    shell.note("")
                    continue
                finally:
                    at_prompt.clear()
                if line in ("/quit", "/exit", "/q"):
                    return
                if line:
                    _say(shell, talk, line)


def _say(shell: Shell, talk: object, line: str) -> None:
    """One line; failures are said and the conversation goes on, the daemon being started again if it is gone."""
    from assistant.cli.talk import Talk

    assert isinstance(talk, Talk)
    try:
        if line == "/help":
            shell.say("chat.help")
        elif line == "/undo":
            talk.undo()
        elif line.startswith("/"):
            shell.note(shell.text("chat.unknown", command=line.split()[0]), style="red")
        else:
            talk.connect()
            talk.settle(talk.turn(line))
    except KeyboardInterrupt:
        shell.note(shell.text("chat.stopped"))
    except (AssistantError, OSError) as error:
        told = explain(error, shell.catalogue, shell.language)
        shell.note(told.message, style="red")
        if told.mend:
            shell.note(told.mend, style="")


@contextlib.contextmanager
def _history(file: Path) -> Iterator[None]:
    """Lines typed before, by arrow keys; kept between runs for the user's eyes alone."""
    try:
        import readline
    except ImportError:
        yield  # this Python has no line editor; the conversation works without
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(_HISTORY_LINES)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)
            readline.write_history_file(file)


def _typed() -> str:
    """What stands in the line that is being typed."""
    try:
        import readline
    except ImportError:
        return ""
    return readline.get_line_buffer()


@contextlib.contextmanager
def _notices(shell: Shell, at_prompt: threading.Event) -> Iterator[None]:
    """Show notices while the person types: a thread with a loop of its own, for `input` blocks this one."""
    from assistant.cli.talk import follow_notices

    loop = asyncio.new_event_loop()
    stopped = threading.Event()

    def prompt_again() -> None:
        if at_prompt.is_set() and shell.out.is_terminal:
            shell.line(_PROMPT + _typed(), end="")
            shell.out.file.flush()

    async def listen() -> None:
        while not stopped.is_set():
            with contextlib.suppress(AssistantError):
                async with shell.client() as client:
                    await follow_notices(shell, client, prompt_again)
            await asyncio.sleep(1)  # the daemon went away: it may come back

    task = loop.create_task(listen())

    def listening() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=listening, name="notices", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=5)
        if not thread.is_alive():
            loop.close()
