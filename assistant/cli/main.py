"""The command line's entry: language first, then the command, then one place where failures become words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from assistant.cli import absent, approvals, ask, audit, chat, daemon, doctor, help, models, outbox, run, service
from assistant.cli import account as account_commands
from assistant.cli import config as config_commands
from assistant.cli import profile as profile_commands
from assistant.cli import setup as setup_command
from assistant.cli import skills as skill_commands
from assistant.cli.exits import ExitCode, explain, foreseen
from assistant.cli.shell import Shell, choose_language, early_options


class Root(help.Group):
    """The whole command: `main` is what the installed script and typer's CliRunner call."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and exit with its code."""
        arguments = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # a terminal that knows no Chinese must not stop us
        early = early_options(arguments)
        if early.get("--home"):
            os.environ["ASSISTANT_HOME"] = early["--home"]
        shell = Shell(choose_language(early.get("--language", ""), os.environ), debug="--debug" in early)
        help.localize(self, shell)
        code = ExitCode.OK
        try:
            code = super().main(
                arguments, prog_name="assistant", complete_var=complete_var, standalone_mode=False, obj=shell, **extra
            )
        except (KeyboardInterrupt, typer.Abort):
            code = ExitCode.INTERRUPTED
        except Exception as error:
            code = _fail(shell, error)
        sys.exit(int(code or 0))


def _fail(shell: Shell, error: Exception) -> ExitCode:
    """Say what went wrong; the traceback goes to the log, and to the screen with `--debug` alone."""
    told = explain(error, shell.catalogue, shell.language)
    if not foreseen(error):
        _log(shell, error)
    if shell.debug:
        shell.err.print_exception()
    if shell.as_json:
        shell.json(told.as_json())
    shell.note(told.message, style="red")
    if told.mend:
        shell.note(told.mend, style="")
    return told.exit


def _log(shell: Shell, error: Exception) -> None:
    import logging
    from logging.handlers import RotatingFileHandler

    from assistant.logs import PlainFormatter

    try:
        shell.paths.make()
        handler = RotatingFileHandler(shell.paths.logs / "cli.log", maxBytes=500_000, backupCount=1, encoding="utf-8")
    except OSError:
        return  # nowhere to write: the sentence on the screen must do
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.Logger("assistant.cli")
    logger.addHandler(handler)
    logger.error("%s", " ".join(sys.argv[1:3]), exc_info=error)
    handler.close()


app = typer.Typer(cls=Root, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def options(
    context: typer.Context,
    language: str = typer.Option("", metavar="en|zh"),
    home: str = typer.Option("", metavar="FOLDER"),
    debug: bool = typer.Option(False, "--debug"),
    version: bool = typer.Option(False, "--version", is_eager=True, callback=lambda wanted: _version(wanted)),
) -> None:
    """Options of all commands; they were read before (`early_options`), here they are checked."""
    if language and language not in ("en", "zh"):
        raise typer.BadParameter("en | zh", param_hint="--language")


def _version(wanted: bool) -> None:
    if wanted:
        from assistant import __version__

        typer.echo(f"assistant {__version__}")
        raise typer.Exit()


ask.register(app)
chat.register(app)
run.register(app)
approvals.register(app)
outbox.register(app)
audit.register(app)
profile_commands.register(app)
skill_commands.register(app)
account_commands.register(app)
setup_command.register(app)
doctor.register(app)
config_commands.register(app)
models.register(app)
daemon.register(app)
service.register(app)
absent.register(app)


def main() -> None:
    """Entry point of the script `assistant`."""
    os.umask(0o077)  # whatever it writes is its user's alone
    app()


if __name__ == "__main__":
    main()
