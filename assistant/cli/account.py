"""`assistant account`: the accounts and mailboxes the assistant uses, and whether they can be used."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from assistant.cli import conflicts, help
from assistant.cli import shell as shells
from assistant.cli.exits import ExitCode, Unfit, UsageProblem
from assistant.cli.help import Command
from assistant.cli.shell import Shell

SAMPLE_FOLDER = "sample-mailbox"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands = help.group()
    commands.command("list", cls=Command)(list_all)
    commands.command(cls=Command)(add)
    commands.command(cls=Command)(login)
    commands.command("test", cls=Command)(check)
    commands.command(cls=Command)(remove)
    commands.command(cls=Command)(secret)
    conflicts.register(commands)
    app.add_typer(commands, name="account", rich_help_panel="setup")


def list_all(context: typer.Context, as_json: bool = typer.Option(False, "--json")) -> None:
    """List them."""
    from assistant.cli import account_look

    shell = shells.of(context)
    shell.as_json = as_json
    settings = email_settings(shell)
    local = [{"kind": "email", **settings}] if settings.get("mailbox") else []
    if as_json:
        shell.json({"items": local + account_look.plain(shell)})
        return
    if not local and not shell.loaded.config.accounts:
        shell.say("account.none")
        return
    rows = account_look.rows(shell)
    if local:
        here = (shell.text("account.here"), str(settings.get("address") or ""), str(settings["mailbox"]), "")
        rows = [here, *rows]
    shell.table("account", ("name", "address", "servers", "state"), rows)
    if not sending(settings) and not any(one.smtp for one in shell.loaded.config.accounts.values()):
        shell.note(shell.text("account.no_sending"))


def add(
    context: typer.Context,
    what: str = typer.Argument(metavar="ADDRESS|maildir|mbox|sample"),
    path: Path | None = typer.Argument(None, metavar="PATH"),
    address: str = typer.Option("", metavar="ADDRESS"),
    name: str = typer.Option("", metavar="NAME"),
    user: str = typer.Option("", metavar="USER"),
    imap: str = typer.Option("", metavar="HOST[:PORT][/tls|starttls|none]"),
    smtp: str = typer.Option("", metavar="HOST[:PORT][/tls|starttls|none]"),
    caldav: str = typer.Option("", metavar="URL"),
    carddav: str = typer.Option("", metavar="URL"),
    ca_file: Path | None = typer.Option(None, metavar="FILE"),
    password_stdin: bool = typer.Option(False, "--password-stdin"),
    oauth: bool = typer.Option(False, "--oauth"),
    client_id: str = typer.Option("", metavar="ID"),
    client_file: Path | None = typer.Option(None, metavar="FILE"),
    issuer: str = typer.Option("", metavar="URL"),
    device: bool = typer.Option(False, "--device"),
    sync: bool | None = typer.Option(None, "--sync/--no-sync"),
    yes: bool = typer.Option(False, "--yes", "-y"),
) -> None:
    """Add one."""
    from assistant.cli.account_add import Wanted, add_account
    from assistant.cli.account_login import How

    shell = shells.of(context)
    if "@" in what:
        how = How(password_stdin, oauth, client_id, client_file, issuer, device)
        add_account(shell, what, Wanted(name, user, imap, smtp, caldav, carddav, ca_file, sync, yes), how)
        return
    if what == "sample":
        add_sample(shell)
    elif what in ("maildir", "mbox"):
        if path is None:
            raise UsageProblem("cli.needs_path", kind=what)
        mailbox = path.expanduser().absolute()
        shell.say("account.found", count=count_mails(mailbox), mailbox=mailbox)
        use_mailbox(shell, mailbox, address)
    else:
        raise UsageProblem("cli.no_account_kind", kind=what)
    shell.note_restart()


def login(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    password_stdin: bool = typer.Option(False, "--password-stdin"),
    client_id: str = typer.Option("", metavar="ID"),
    client_file: Path | None = typer.Option(None, metavar="FILE"),
    device: bool = typer.Option(False, "--device"),
) -> None:
    """Log in again."""
    from assistant.cli.account_add import log_in_again
    from assistant.cli.account_login import How

    shell = shells.of(context)
    log_in_again(shell, name, How(password_stdin, False, client_id, client_file, "", device))


def remove(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    keep_data: bool = typer.Option(False, "--keep-data"),
    yes: bool = typer.Option(False, "--yes", "-y"),
) -> None:
    """Remove one."""
    from assistant.cli.account_add import remove_account

    remove_account(shells.of(context), name, keep_data=keep_data, yes=yes)


def check(context: typer.Context, name: str = typer.Argument("", metavar="NAME")) -> None:
    """Try them."""
    from assistant.cli import account_look

    shell = shells.of(context)
    settings = email_settings(shell)
    local = bool(settings.get("mailbox")) and not name
    if not local and not shell.loaded.config.accounts and not name:
        shell.say("account.none")
        raise typer.Exit(ExitCode.FAILED)
    if local:
        mailbox = Path(str(settings["mailbox"])).expanduser()
        shell.say("account.found", count=count_mails(mailbox), mailbox=mailbox, style="green")
    names = [account_look.named(shell, name)[0]] if name else list(shell.loaded.config.accounts)
    fine = [account_look.try_one(shell, one) for one in names]
    if local and not any(one.smtp for one in shell.loaded.config.accounts.values()):
        shell.say("account.can_send" if sending(settings) else "account.no_sending")
    if not all(fine):
        raise typer.Exit(ExitCode.FAILED)


def secret(
    context: typer.Context,
    name: str = typer.Argument(metavar="NAME"),
    forget: bool = typer.Option(False, "--forget"),
) -> None:
    """Keep or forget a password."""
    from getpass import getpass

    from assistant.safety.secrets import open_secrets

    shell = shells.of(context)
    shell.paths.make()
    store = open_secrets(shell.paths)
    if forget:
        shell.say("account.secret_gone" if shell.run(store.delete(name)) else "account.secret_none", name=name)
        return
    prompt = shell.text("account.secret_prompt", name=name)
    value = getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not value:
        raise UsageProblem("cli.no_secret", name=name)
    shell.run(store.put(name, value))
    shell.say("account.secret_kept", name=name)


def email_settings(shell: Shell) -> Mapping[str, Any]:
    """What the user set for the email skill."""
    skill = shell.loaded.config.skills.get("email")
    return skill.settings if skill else {}


def sending(settings: Mapping[str, Any]) -> bool:
    """Whether mail can leave: through a configured server or the local sendmail."""
    import shutil

    return bool(settings.get("smtp_host")) or shutil.which("sendmail", path="/usr/sbin:/usr/lib:/usr/bin") is not None


def count_mails(mailbox: Path) -> int:
    """Mails in a Maildir (its folders included) or an mbox file. Raises Unfit where it is neither; OSError."""
    if mailbox.is_dir():
        roots = [folder for folder in (mailbox, *mailbox.iterdir()) if (folder / "cur").is_dir()]
        if not roots:
            raise Unfit("cli.no_maildir", mailbox=mailbox)
        return sum(
            1 for root in roots for part in ("cur", "new") if (root / part).is_dir() for _ in (root / part).iterdir()
        )
    with mailbox.open("rb") as lines:
        first = lines.readline()
        if first and not first.startswith(b"From "):
            raise Unfit("cli.no_mbox", mailbox=mailbox)
        return bool(first) + sum(1 for line in lines if line.startswith(b"From "))


def use_mailbox(shell: Shell, mailbox: Path, address: str) -> None:
    """Write the mailbox into the user's settings."""
    from assistant.config import change

    file = shell.paths.config_file
    change(file, "skills.email.settings.mailbox", str(mailbox))
    if address:
        change(file, "skills.email.settings.address", address)
    shell.say("account.added", file=file)


def add_sample(shell: Shell) -> None:
    """Make the sample mailbox, its user where the person has told nothing yet, and use them."""
    from assistant.cli.userfile import read_user
    from assistant.resources import bundled

    shell.paths.make()
    mailbox = shell.paths.data / SAMPLE_FOLDER
    count = _load_sample(mailbox, shell)
    shell.say("account.sample", count=count, mailbox=mailbox)
    sample = bundled("profile") / "sample.yaml"
    if not shell.paths.profile_file.exists():
        shell.paths.profile_file.write_bytes(sample.read_bytes())
        shell.paths.profile_file.chmod(0o600)
        shell.say("account.sample_user", file=shell.paths.profile_file)
    use_mailbox(shell, mailbox, read_user(sample)[0].email)


def _load_sample(target: Path, shell: Shell) -> int:
    """Call `load_sample` of the bundled email skill: one module of data, imported alone and not as a skill."""
    from assistant.resources import bundled

    name = "assistant_sample_mailbox"
    spec = importlib.util.spec_from_file_location(name, bundled("skills") / "email" / "sample.py")
    if spec is None or spec.loader is None:
        raise Unfit("cli.no_sample")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    try:
        return int(module.load_sample(target, shell.clock.now()))
    except FileExistsError as error:
        raise Unfit("cli.sample_in_use", mailbox=target) from error
