"""What the doctor looks at, one function per part. Each looks from outside and changes nothing."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from assistant.cli.doctor import Check, Finding, State
from assistant.cli.shell import Shell

_LOW_DISK = 1_000_000_000
_NO_DISK = 200_000_000
_BACKUP_LATE = timedelta(days=3)


def python(shell: Shell) -> Iterator[Finding]:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", "python", {"version": version, "path": sys.executable})


def folders(shell: Shell) -> Iterator[Finding]:
    """Whether they can be written, and by nobody else."""
    paths = shell.paths
    sound = True
    for folder in dict.fromkeys((paths.config, paths.data, paths.models, paths.state, paths.run)):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            sound = False
            fatal = folder != paths.models  # models may lie in a folder shared by several users
            yield Finding("folders", "bad" if fatal else "warn", "folder_denied", {"folder": existing})
    for folder in (paths.data, paths.run):
        if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
            sound = False
            yield Finding("folders", "warn", "folder_open", {"folder": folder})
    if sound:
        yield Finding("folders", "ok", "folders", {"folder": paths.data})
    yield Finding("log", "ok", "log", {"file": paths.logs / "assistant.log"})


def settings(shell: Shell) -> Iterator[Finding]:
    """The user's settings and profile; what is wrong in them is raised as ConfigError."""
    from assistant.cli.userfile import read_user

    own = sum(1 for origin in shell.loaded.origins.values() if origin)
    yield Finding("settings", "ok", "settings" if own else "settings_default", {"file": shell.paths.config_file})
    if not shell.paths.profile_file.exists():
        yield Finding("profile", "warn", "no_profile")
        return
    user, _ = read_user(shell.paths.profile_file)
    yield Finding("profile", "ok", "profile", {"name": user.name or "?", "count": len(user.contacts)})


def disk(shell: Shell) -> Iterator[Finding]:
    """Room for what is kept."""
    folder = next(parent for parent in (shell.paths.data, *shell.paths.data.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    told = {"free": f"{free / 1e9:.1f} GB", "folder": folder}
    if free < _NO_DISK:
        yield Finding("disk", "bad", "disk_full", told)
    elif free < _LOW_DISK:
        yield Finding("disk", "warn", "disk_low", told)
    else:
        yield Finding("disk", "ok", "disk", told)


def database(shell: Shell) -> Iterator[Finding]:
    """The database, its backups, and whether one of them had to take its place."""
    from assistant.mending import recent, told_of
    from assistant.store import backups, restore

    file = shell.paths.database
    if not file.exists():
        yield Finding("database", "ok", "no_database")
        return
    problem = backups.problem_at_work(file)
    state: State = "ok" if problem is None else "bad"
    yield Finding("database", state, "database" if problem is None else "database_damaged", {"problem": problem or ""})
    now = shell.clock.now()
    note = restore.last_restored(file)
    if note is not None and recent(note, now):
        told = told_of(note, shell.catalogue, shell.language)
        yield Finding("database", "warn", "notice", {"title": told.title, "body": told.body})
    kept = backups.listed(file)
    if not kept:
        yield Finding("backup", "warn", "no_backup")
        return
    late = now - kept[0].at > _BACKUP_LATE
    told_at = {"at": kept[0].at.astimezone(shell.clock.zone), "count": len(kept), "folder": backups.folder_of(file)}
    yield Finding("backup", "warn" if late else "ok", "backup", told_at)


def model(shell: Shell) -> Iterator[Finding]:
    """The chosen model, and what was found out about running it here."""
    from assistant.cli.models import size, store

    wanted = shell.loaded.config.engine.model
    if wanted.startswith("scripted:"):
        yield Finding("model", "warn", "model_scripted", {"file": wanted.removeprefix("scripted:")})
        return
    chosen = store(shell).chosen()
    if chosen is None:
        key = "no_model" if wanted == "auto" else "model_gone"
        yield Finding("model", "bad", key, {"model": wanted})
        return
    yield Finding("model", "ok", "model", {"model": chosen.title, "size": size(chosen.bytes)})
    yield from _probe(shell, chosen.path)


def _probe(shell: Shell, file: Path) -> Iterator[Finding]:
    from assistant.engine.probe import ProbeStore, key

    record = ProbeStore(shell.paths.state / "probe.json").get(key(file))
    if record is None:
        yield Finding("probe", "ok", "not_probed")
        return
    for crash in record.crashes:
        told = "crashed_at_work" if crash.serving else "crashed"
        yield Finding("probe", "warn", told, {"profile": crash.profile, "cause": crash.cause})
    if record.profile is None:
        yield Finding("probe", "bad", "no_profile_works", {"model": record.model})
    else:
        yield Finding("probe", "ok", "probed", {"profile": record.profile})


def secrets(shell: Shell) -> Iterator[Finding]:
    """Where passwords are kept."""
    from assistant.safety.secrets import open_secrets

    report = shell.run(open_secrets(shell.paths).describe())
    where = shell.catalogue.text(shell.language, f"safety.secrets.{report.sentence}", **report.model_dump())
    yield Finding("secrets", "ok", "secrets", {"where": where})


def sandbox(shell: Shell) -> Iterator[Finding]:
    """What skills from elsewhere are contained with here."""
    from assistant.sandbox.machine import look

    here = look()
    told = {"landlock": here.landlock}
    if here.kind == "boxed":
        yield Finding("sandbox", "ok", "boxed", told)
    elif here.kind == "fenced":
        yield Finding("sandbox", "warn", f"fenced_{here.trouble or 'missing'}", told)
    elif shell.loaded.config.sandbox.skills == "required":
        yield Finding("sandbox", "warn", "uncontained")
    else:
        yield Finding("sandbox", "warn", "unfenced")


def daemon(shell: Shell) -> Iterator[Finding]:
    """Whether it runs and answers; a hang is raised as NoAnswer."""
    from assistant.client import Health, NotRunning

    async def work() -> tuple[Health, list[dict[str, Any]]]:
        async with shell.client() as client:
            return await client.health(), await client.skills()

    try:
        health, skills = shell.run(work())
    except NotRunning:
        yield Finding("daemon", "warn", "no_daemon")
        return
    yield Finding("daemon", "ok", "daemon", {"pid": health.pid, "version": health.version})
    for skill in skills:
        for problem in skill.get("problems") or []:
            yield Finding("skills", "warn", "skill_problem", {"name": skill.get("name", "?"), **problem})
    mode = stat.S_IMODE(shell.paths.socket.stat().st_mode)
    if mode & 0o077:
        yield Finding("socket", "bad", "socket_open", {"socket": shell.paths.socket})
    else:
        yield Finding("socket", "ok", "socket", {"socket": shell.paths.socket})
    port = shell.paths.run / "server-port"
    if shell.loaded.config.server.tcp and port.exists():
        told = {"port": port.read_text(encoding="utf-8").strip(), "file": shell.paths.run / "server-token"}
        yield Finding("server", "ok", "tcp", told)


def notifications(shell: Shell) -> Iterator[Finding]:
    """Whether the desktop can be reached."""
    if not shell.loaded.config.notify.desktop:
        yield Finding("notifications", "ok", "notifications_off")
        return
    bus = os.environ.get("DBUS_SESSION_BUS_ADDRESS") or Path(f"/run/user/{os.getuid()}/bus").exists()
    reachable = bool(bus) or not sys.platform.startswith("linux")
    yield Finding("notifications", "ok" if reachable else "warn", "notifications" if reachable else "no_desktop")


def mail(shell: Shell) -> Iterator[Finding]:
    """The mailbox, and whether mail can leave."""
    from assistant.cli.account import count_mails, email_settings, sending

    configured = email_settings(shell)
    if not configured.get("mailbox"):
        yield Finding("mail", "warn", "no_mailbox")
        return
    mailbox = Path(str(configured["mailbox"])).expanduser()
    yield Finding("mail", "ok", "mailbox", {"count": count_mails(mailbox), "mailbox": mailbox})
    yield Finding("mail", "ok" if sending(configured) else "warn", "sending" if sending(configured) else "no_sending")


CHECKS: tuple[tuple[str, Check], ...] = (
    ("python", python),
    ("folders", folders),
    ("settings", settings),
    ("disk", disk),
    ("database", database),
    ("model", model),
    ("secrets", secrets),
    ("sandbox", sandbox),
    ("daemon", daemon),
    ("notifications", notifications),
    ("mail", mail),
)
