"""`assistant account add|login|remove`: an address's servers are found, tried, and written down with their secret."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError

from assistant.accounts import wellknown
from assistant.accounts.wellknown import Provider
from assistant.cli import account_login, account_look
from assistant.cli.account_login import How
from assistant.cli.exits import ExitCode, Unfit, UsageProblem
from assistant.cli.shell import Shell
from assistant.errors import AccountError, AssistantError
from assistant.remote import ACCOUNT_NAME, Account, secret_name

if TYPE_CHECKING:
    from assistant.accounts.check import Checked
    from assistant.accounts.guess import Guess
    from assistant.safety.secrets import SystemSecrets

_ATTEMPTS = 3
_ADDRESS = re.compile(r"[^\s@,;:<>()\"]+@[^\s@,;:<>()\"/]+\.[^\s@,;:<>()\"/.]+")
_AGAIN = ("refused", "needs_code", "needs_app_password", "unsafe")


@dataclass(frozen=True)
class Wanted:
    """What the command line says of the account."""

    name: str = ""
    user: str = ""
    imap: str = ""
    smtp: str = ""
    caldav: str = ""
    carddav: str = ""
    ca_file: Path | None = None
    sync: bool | None = None
    yes: bool = False

    @property
    def servers(self) -> bool:
        """Whether it names any server: then none is looked for."""
        return bool(self.imap or self.smtp or self.caldav or self.carddav)


def add_account(shell: Shell, address: str, wanted: Wanted, how: How) -> None:
    """Find its servers, log in, keep it."""
    if not _ADDRESS.fullmatch(address):
        raise UsageProblem("cli.no_address", address=address)
    known = shell.loaded.config.accounts
    taken = next((name for name, one in known.items() if one.address.casefold() == address.casefold()), None)
    if taken is not None and not wanted.name:
        raise UsageProblem("cli.account_there", address=address, name=taken)
    name = _name(wanted.name, address, known)
    account, provider, guessed = _find(shell, address, wanted)
    _show(shell, account)
    account, secret, results = _logged_in(shell, account, provider, how)
    account = _without_failing(shell, account, results, guessed)
    began = shell.clock.now()
    _keep(shell, name, account, secret)
    shell.say("account.kept", name=name, address=address, style="green")
    _take_up(shell, name, account, wanted, began)


def log_in_again(shell: Shell, name: str, how: How) -> None:
    """Ask for the secret anew; a running daemon takes it up by itself."""
    name, account = account_look.named(shell, name)
    provider = wellknown.of(account)
    if account.auth == "oauth":
        how = How(False, True, how.client_id, how.client_file, "", how.device)
    before = account
    kept = shell.run(_secrets(shell).get(secret_name(name)))
    account, secret, results = _logged_in(shell, account, provider, how, kept or "")
    if any(one.problem for one in results):
        raise typer.Exit(ExitCode.FAILED)
    _keep(shell, name, account, secret)
    shell.say("account.kept_again", name=name, style="green")
    if account != before:
        shell.note_restart()


def remove_account(shell: Shell, name: str, *, keep_data: bool, yes: bool) -> None:
    """Forget an account: its secret, its tokens over there, its settings, and what was fetched of it."""
    from assistant.accounts import status
    from assistant.cli.daemon import stopped
    from assistant.config import drop

    name, account = account_look.named(shell, name)
    places = [] if keep_data else status.folders(shell.paths.data, name)
    if not yes:
        key = "account.remove_with_data" if places else "account.remove_ask"
        if not shell.interactive or not shell.confirm(key, name=name, address=account.address):
            shell.say("account.not_removed", name=name)
            raise typer.Exit(ExitCode.FAILED)
    secrets = _secrets(shell)
    with stopped(shell):
        _revoke(shell, name, account, secrets)
        drop(shell.paths.config_file, "accounts", name)
        shell.run(_forget(secrets, name))
        for place in places:
            shutil.rmtree(place)
    shell.say("account.removed", name=name, style="green")


# --- finding ---------------------------------------------------------------------------------------------------


def _name(wanted: str, address: str, known: Any) -> str:
    """The account's name: the given one, else the domain's first word, numbered where it is taken."""
    if wanted:
        if not re.fullmatch(ACCOUNT_NAME, wanted):
            raise UsageProblem("cli.bad_account_name", name=wanted)
        if wanted in known:
            raise UsageProblem("cli.account_name_taken", name=wanted)
        return wanted
    base = re.sub(r"[^\w-]", "", address.rpartition("@")[2].split(".")[0])[:24] or "mail"
    numbered = (f"{base}{number}" for number in range(2, 1000))
    return base if base not in known else next(one for one in numbered if one not in known)


def _find(shell: Shell, address: str, wanted: Wanted) -> tuple[Account, Provider | None, Sequence[str]]:
    """The account as far as it is known, its service, and which of its servers are mere guesses."""
    from assistant.accounts.check import KINDS
    from assistant.accounts.guess import servers

    if wanted.servers:
        account = _made(address, wanted, None)
        return account, wellknown.of(account), ()
    shell.note(shell.text("account.looking", domain=address.rpartition("@")[2]))
    guess = shell.run(servers(address))
    if not (guess.imap or guess.smtp or guess.caldav or guess.carddav):
        if shell.interactive:
            shell.say(f"account.how.{guess.how}", provider="", domain=address.rpartition("@")[2])
            imap, smtp, caldav, carddav = (shell.ask(f"account.ask_{kind}") for kind in KINDS)
            wanted = replace(wanted, imap=imap, smtp=smtp, caldav=caldav, carddav=carddav)
            if wanted.servers:
                account = _made(address, wanted, None)
                return account, wellknown.of(account), ()
        raise Unfit(f"cli.servers_{guess.how}", address=address, domain=address.rpartition("@")[2])
    title = guess.provider.title if guess.provider else {}
    shell.say(f"account.how.{guess.how}", provider=title, domain=address.rpartition("@")[2])
    if guess.elsewhere and not wanted.yes:
        hosts = list(guess.elsewhere)
        if not shell.interactive or not shell.confirm("account.elsewhere", hosts=hosts, address=address):
            raise Unfit("cli.servers_elsewhere", hosts=hosts, address=address)
    account = _made(address, wanted, guess)
    return account, guess.provider, ("caldav", "carddav")


def _made(address: str, wanted: Wanted, guess: Guess | None) -> Account:
    """An account of what is wanted and found. Raises UsageProblem for a server that makes no sense."""
    try:
        imap = wellknown.place(wanted.imap) if wanted.imap else guess.imap if guess else None
        smtp = wellknown.place(wanted.smtp, smtp=True) if wanted.smtp else guess.smtp if guess else None
        return Account(
            address=address,
            user=wanted.user or (guess.user if guess else ""),
            imap=imap,
            smtp=smtp,
            caldav=wanted.caldav or (guess.caldav if guess else ""),
            carddav=wanted.carddav or (guess.carddav if guess else ""),
            ca_file=wanted.ca_file.expanduser().absolute() if wanted.ca_file else None,
        )
    except ValidationError as error:
        raise UsageProblem("cli.bad_server", problem=error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    except ValueError as error:
        raise UsageProblem("cli.bad_server", problem=str(error)) from error


def _show(shell: Shell, account: Account) -> None:
    from assistant.accounts.check import doors

    for kind, place in doors(account):
        shell.line(f"  {shell.text(f'account.door.{kind}', place=place)}")


# --- logging in ------------------------------------------------------------------------------------------------


def _logged_in(
    shell: Shell, account: Account, provider: Provider | None, how: How, kept: str = ""
) -> tuple[Account, str, Sequence[Checked]]:
    """Ask for the secret and try it everywhere; at a terminal a refused one is asked for again."""
    from assistant.accounts.check import check

    only_oauth = provider is not None and provider.logins[0] == "oauth"
    if how.oauth or account.auth == "oauth" or (only_oauth and not how.password_stdin):
        if not how.oauth and account.auth != "oauth":
            shell.say("account.needs_oauth", provider=provider.title if provider else "")
        client, client_secret = account_login.oauth_client(shell, account, provider, how, kept)
        account = account.model_copy(update={"auth": "oauth", "oauth": client})
        tokens = account_login.log_in(shell, account, how, client_secret)
        results = shell.run(check(account, account_login.bearer(account, tokens)))
        account_look.tell(shell, results)
        return account, tokens.dump(), results
    for attempt in range(1, _ATTEMPTS + 1):
        secret = account_login.ask_password(shell, account, provider, how)
        results = shell.run(check(account, account_login.password(account, secret)))
        account_look.tell(shell, results)
        refused = any(getattr(one.problem, "reason", "") in _AGAIN for one in results)
        if not refused or not shell.interactive or how.password_stdin or attempt == _ATTEMPTS:
            break
    return account, secret, results


def _without_failing(shell: Shell, account: Account, results: Sequence[Checked], guessed: Sequence[str]) -> Account:
    """The account without guessed servers that do not work. Exits where one that matters does not."""
    changes: dict[str, Any] = {}
    some_work = any(one.problem is None for one in results)
    for one in results:
        if one.problem is not None and one.kind in guessed and (some_work or not _may_pass(one)) and len(results) > 1:
            changes[one.kind] = ""
            shell.note(shell.text(f"account.left_out_{one.kind}"))
    failing = [one for one in results if one.problem is not None and one.kind not in changes]
    passing = all(_may_pass(one) for one in failing)
    if failing and not (shell.interactive and (some_work or passing) and shell.confirm("account.add_all_the_same")):
        shell.say("account.not_added", address=account.address)
        raise typer.Exit(ExitCode.FAILED)
    return account.model_copy(update=changes)


def _may_pass(one: Checked) -> bool:
    return getattr(one.problem, "passing", False)


# --- keeping ---------------------------------------------------------------------------------------------------


def _keep(shell: Shell, name: str, account: Account, secret: str) -> None:
    """Secret first: an account without one would be tried in vain."""
    from assistant.config import put

    shell.paths.make()
    secrets = _secrets(shell)
    before = shell.run(secrets.get(secret_name(name)))
    shell.run(secrets.put(secret_name(name), secret))
    try:
        put(shell.paths.config_file, "accounts", name, account.model_dump(mode="json", exclude_defaults=True))
    except (AssistantError, OSError):
        if before is None:
            shell.run(secrets.delete(secret_name(name)))
        raise


def _take_up(shell: Shell, name: str, account: Account, wanted: Wanted, began: Any) -> None:
    """Have the daemon begin with the account, and show its first sync."""
    from assistant.cli.daemon import renew

    sync = wanted.sync
    if sync is None:
        sync = shell.interactive and shell.confirm("account.sync.ask", default=True)
    if not sync:
        shell.note_restart()
        return
    renew(shell)
    account_look.watch(shell, name, account, began)


def _secrets(shell: Shell) -> SystemSecrets:
    from assistant.safety.secrets import open_secrets

    return open_secrets(shell.paths)


async def _forget(secrets: SystemSecrets, name: str) -> None:
    from assistant.accounts.keeper import told_name

    for one in (secret_name(name), told_name(name)):
        await secrets.delete(one)


def _revoke(shell: Shell, name: str, account: Account, secrets: SystemSecrets) -> None:
    """Take the permission back over there (RFC 7009); where that can't be done, say where a person can do it."""
    if account.auth != "oauth" or account.oauth is None:
        return
    from assistant.accounts.keeper import endpoint_of
    from assistant.accounts.oauth import Tokens

    kept = shell.run(secrets.get(secret_name(name)))
    tokens = Tokens.load(kept) if kept else None
    done = False
    if tokens is not None:
        try:
            done = shell.run(endpoint_of(account).revoke(tokens))
        except AccountError as error:
            message, _ = shell.catalogue.explain(error, shell.language)
            shell.note(message)
    if not done:
        shell.note(shell.text("account.not_revoked", address=account.address))
