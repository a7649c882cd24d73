"""Looking at the accounts: what they are, how far their engines are, whether they can be logged in to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assistant.accounts import status
from assistant.accounts.status import Status
from assistant.cli.exits import UsageProblem
from assistant.cli.shell import Shell
from assistant.remote import Account

if TYPE_CHECKING:
    from assistant.accounts.check import Checked

_STEP_S = 0.25
_BEGINS_WITHIN_S = 30.0
_ENDS_WITHIN_S = 3600.0


def named(shell: Shell, name: str) -> tuple[str, Account]:
    """The account of that name, or the only one of that address. Raises UsageProblem."""
    known = shell.loaded.config.accounts
    if name in known:
        return name, known[name]
    found = [one for one, account in known.items() if account.address.casefold() == name.casefold()]
    if len(found) != 1:
        raise UsageProblem("cli.no_account", name=name, known=sorted(known) or ["–"])
    return found[0], known[found[0]]


def plain(shell: Shell) -> list[dict[str, Any]]:
    """All accounts, for programs."""
    items = []
    for name, account in shell.loaded.config.accounts.items():
        servers = account.model_dump(mode="json", include={"imap", "smtp", "caldav", "carddav"}, exclude_defaults=True)
        states = {skill: one.model_dump(mode="json") for skill, one in status.read(shell.paths.data, name).items()}
        about = {"kind": "account", "name": name, "address": account.address, "user": account.login}
        items.append({**about, "auth": account.auth, "servers": servers, "states": states})
    return items


def rows(shell: Shell) -> list[tuple[str, str, str, str]]:
    """All accounts, for people."""
    return [
        (name, account.address, _uses(shell, account), _state(shell, name))
        for name, account in shell.loaded.config.accounts.items()
    ]


def _uses(shell: Shell, account: Account) -> str:
    used = {
        "mail": account.imap,
        "sending": account.smtp,
        "calendar": account.caldav,
        "contacts": account.carddav,
    }
    words = [shell.text(f"account.use.{use}") for use, place in used.items() if place]
    return shell.text("account.use.all", uses=words)


def _state(shell: Shell, name: str) -> str:
    found = status.read(shell.paths.data, name)
    if not found:
        return shell.text("account.state.none")
    worst = min(found.values(), key=lambda one: _BADNESS.index(one.state))
    last = max(found.values(), key=lambda one: one.at)
    return shell.text(
        f"account.state.{worst.state}", done=worst.done, total=worst.total, at=shell.moment(last.at), name=name
    )


_BADNESS = ("needs_login", "offline", "syncing", "idle")


def try_one(shell: Shell, name: str) -> bool:
    """Log in to all servers of an account and say what came of each. Whether all is well."""
    from assistant.accounts.check import check
    from assistant.accounts.keeper import KeptAccounts
    from assistant.safety.secrets import open_secrets

    account = shell.loaded.config.accounts[name]
    shell.paths.make()
    kept = KeptAccounts({name: account}, open_secrets(shell.paths), folder=shell.paths.data / "accounts")
    shell.say("account.trying", name=name, address=account.address)

    async def work() -> list[Checked]:
        try:
            return await check(account, lambda refused: kept.credential(name, refused=refused))
        finally:
            await kept.aclose()

    results = shell.run(work())
    tell(shell, results)
    return not any(one.problem for one in results)


def tell(shell: Shell, results: Sequence[Checked]) -> None:
    """Say what came of each login; the same trouble is explained once."""
    explained: set[str] = set()
    for one in results:
        where = shell.text(f"account.door.{one.kind}", place=one.place)
        if one.problem is None:
            shell.line(f"✓ {where}", style="green")
            continue
        message, mend = shell.catalogue.explain(one.problem, shell.language)
        shell.line(f"✗ {where}", style="red")
        if message not in explained:
            shell.line(f"  {message}", style="yellow")
            if mend and mend not in explained:
                shell.line(f"  {mend}")
        explained |= {message, mend}


def watch(shell: Shell, name: str, account: Account, since: datetime) -> None:
    """Show how the first sync gets on, until it is done or the person has seen enough (it goes on by itself)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    wanted = (["email"] if account.imap else []) + (["calendar"] if account.caldav or account.carddav else [])
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    found: dict[str, Status] = {}
    began = time.monotonic()
    try:
        with Progress(*columns, console=shell.err, disable=not shell.err.is_terminal, transient=True) as bar:
            bars = {skill: bar.add_task(shell.text(f"account.sync.{skill}"), total=None) for skill in wanted}
            while not _settled(found, wanted) and time.monotonic() - began < _ENDS_WITHIN_S:
                if not found and time.monotonic() - began > _BEGINS_WITHIN_S:
                    break
                time.sleep(_STEP_S)
                found = {skill: one for skill, one in status.read(shell.paths.data, name).items() if one.at >= since}
                for skill in set(found) & set(bars):
                    bar.update(bars[skill], total=found[skill].total or None, completed=found[skill].done)
    except KeyboardInterrupt:
        shell.note(shell.text("account.sync.goes_on", name=name))
        return
    if not found:
        shell.note(shell.text("account.sync.not_yet"))
    for skill, one in found.items():
        key = "done" if one.state == "idle" else one.state
        shell.say(f"account.sync.{key}", what=shell.text(f"account.sync.{skill}"), total=one.total, name=name)


def _settled(found: dict[str, Status], wanted: Sequence[str]) -> bool:
    return all(skill in found and found[skill].state != "syncing" for skill in wanted)
