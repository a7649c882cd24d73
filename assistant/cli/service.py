"""`assistant service`: have the system start the daemon at login. The system's manager does the work."""

from __future__ import annotations

import contextlib
import os
import plistlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from assistant.cli import help
from assistant.cli import shell as shells
from assistant.cli.exits import ExitCode, Unfit
from assistant.cli.help import Command
from assistant.cli.shell import Shell
from assistant.paths import Paths

UNIT = "assistant.service"
LABEL = "local.hearth.assistant"
_SYSTEMD_TEMPLATE = Path(__file__).parent / "units" / "assistant.service"
_KEPT = ("ASSISTANT_HOME", "ASSISTANT_MODELS")
_TIMEOUT = 30


@dataclass(frozen=True)
class Manager:
    """What starts programs at login here: its kind and the file that tells it about ours."""

    kind: str
    file: Path


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    for function in (install, uninstall, status):
        commands.command(cls=Command)(function)
    app.add_typer(commands, name="service", rich_help_panel="setup")


def install(context: typer.Context) -> None:
    """Start it at login."""
    shell = shells.of(context)
    manager = manager_here()
    _ = shell.loaded  # a unit that would fail at once because of a bad setting is not written
    shell.paths.make()
    manager.file.parent.mkdir(parents=True, exist_ok=True)
    write(manager, shell.paths)
    shell.say("service.written", file=manager.file)
    _start(shell, manager)


def uninstall(context: typer.Context) -> None:
    """Start it at login no more."""
    shell = shells.of(context)
    manager = manager_here()
    if not manager.file.exists():
        shell.say("service.not_installed")
        return
    if manager.kind == "systemd":
        _manager("systemctl", "--user", "disable", "--now", UNIT)
    else:
        _manager("launchctl", "bootout", f"gui/{os.getuid()}/{LABEL}")
    manager.file.unlink(missing_ok=True)
    (manager.file.parent / "default.target.wants" / UNIT).unlink(missing_ok=True)
    if manager.kind == "systemd":
        _manager("systemctl", "--user", "daemon-reload")
    shell.say("service.removed", file=manager.file)


def status(context: typer.Context) -> None:
    """Say whether it starts at login."""
    shell = shells.of(context)
    manager = manager_here()
    if not manager.file.exists():
        shell.say("service.not_installed")
        raise typer.Exit(ExitCode.FAILED)
    shell.say("service.installed", file=manager.file)
    state = _manager("systemctl", "--user", "is-active", UNIT) if manager.kind == "systemd" else None
    if state is not None and state.stdout.strip():
        shell.say("service.state", state=state.stdout.strip())
    elif manager.kind == "systemd":
        shell.say("service.no_manager")


def manager_here(platform: str = sys.platform, environment: dict[str, str] | None = None) -> Manager:
    """The manager of this platform. Raises Unfit where there is none that we know."""
    environment = dict(os.environ) if environment is None else environment
    home = Path(environment.get("HOME") or Path.home())
    if platform.startswith("linux"):
        configuration = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        return Manager("systemd", configuration / "systemd" / "user" / UNIT)
    if platform == "darwin":
        return Manager("launchd", home / "Library" / "LaunchAgents" / f"{LABEL}.plist")
    raise Unfit("cli.no_service", platform=platform)


def write(manager: Manager, paths: Paths) -> None:
    """Write the file, whole or not at all."""
    text = launch_agent(paths) if manager.kind == "launchd" else unit(paths).encode()
    temporary = manager.file.with_suffix(".tmp")
    temporary.write_bytes(text)
    temporary.chmod(0o644)
    temporary.replace(manager.file)


def unit(paths: Paths, environment: dict[str, str] | None = None) -> str:
    """The systemd user unit (systemd.service(5), systemd.exec(5)).

    ExecStart is absolute: user managers have no `~/.local/bin` in their PATH.
    """
    environment = dict(os.environ) if environment is None else environment
    command = " ".join(quoted(word) for word in (sys.executable, "-m", "assistant", "daemon", "run"))
    variables = "".join(
        f"Environment={quoted(f'{name}={Path(environment[name]).expanduser().absolute()}')}\n"
        for name in _KEPT
        if environment.get(name)
    )
    template = _SYSTEMD_TEMPLATE.read_text(encoding="utf-8")
    return template.replace("@COMMAND@", command).replace("@ENVIRONMENT@\n", variables)


def quoted(word: str) -> str:
    """A word as systemd reads it: quoted, with its specifiers and variables switched off."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def launch_agent(paths: Paths, environment: dict[str, str] | None = None) -> bytes:
    """The property list of a macOS LaunchAgent (launchd.plist(5)). Written by the book, not tried on a Mac."""
    environment = dict(os.environ) if environment is None else environment
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [sys.executable, "-m", "assistant.cli.background"],
            "EnvironmentVariables": {name: environment[name] for name in _KEPT if environment.get(name)},
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "Umask": 0o077,
            "StandardOutPath": str(paths.logs / "daemon.out"),
            "StandardErrorPath": str(paths.logs / "daemon.out"),
        }
    )


def _start(shell: Shell, manager: Manager) -> None:
    if manager.kind == "launchd":
        done = _manager("launchctl", "bootstrap", f"gui/{os.getuid()}", str(manager.file))
    else:
        _manager("systemctl", "--user", "daemon-reload")
        done = _manager("systemctl", "--user", "enable", "--now", UNIT)
    if done is not None and done.returncode == 0:
        shell.say("service.enabled", style="green")
        return
    if manager.kind == "systemd":
        wants = manager.file.parent / "default.target.wants"
        wants.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (wants / UNIT).symlink_to(manager.file)
    shell.say("service.no_manager", style="yellow")


def _manager(*command: str) -> subprocess.CompletedProcess[str] | None:
    """Call the system's manager; None where it is not there or does not answer."""
    if shutil.which(command[0]) is None:
        return None
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    return None
