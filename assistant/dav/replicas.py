"""Where the copies of the accounts' collections lie: all that a skill needs to read and write them. Light to import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from assistant.dav.folder import READ_ONLY, WRITING

if TYPE_CHECKING:
    from assistant.dav.world import World

ACCOUNTS = "accounts"


@dataclass(frozen=True)
class Replica:
    """One collection of an account, as a folder (a vdir)."""

    account: str
    folder: Path

    @property
    def id(self) -> str:
        """`work/Private`: the account and the folder."""
        return f"{self.account}/{self.folder.name}"

    @property
    def name(self) -> str:
        """As the server calls it."""
        try:
            return (self.folder / "displayname").read_text(encoding="utf-8").strip() or self.folder.name
        except (OSError, UnicodeDecodeError):
            return self.folder.name

    def called(self, name: str) -> bool:
        """Whether `work/Private` means it, by its folder or by what the server calls it."""
        account, _, rest = name.strip().partition("/")
        return account == self.account and rest.strip().casefold() in (
            self.folder.name.casefold(),
            self.name.casefold(),
        )


def replicas(folder: Path) -> list[Replica]:
    """All collections of all accounts in a skill's folder, in order; of accounts that were removed none is there."""
    found = []
    for account in _below(folder / ACCOUNTS):
        found += [Replica(account.name, one) for one in _below(account)]
    return found


async def keep_in_step(
    ctx: World,
    kind: Literal["events", "tasks", "contacts"],
    *,
    only: str = "",
    after: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Keep the collections of all accounts in step with their servers, until cancelled; at once back without accounts.

    `only` names the one collection that is wanted (`work/Tasks`). `after` is called after every round.
    """
    if not any((one.carddav if kind == "contacts" else one.caldav) for one in ctx.accounts.all().values()):
        return
    from assistant.dav.engine import keep_all

    await keep_all(ctx, kind, only=only, after=after)


def is_read_only(file: Path) -> bool:
    """Whether the server takes no changes of the collection that a file lies in."""
    return (file.parent / READ_ONLY).exists()


@contextmanager
def writing() -> Iterator[None]:
    """Hold this between looking whether a file has changed and replacing it."""
    with WRITING:
        yield


def _below(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError:
        return []
