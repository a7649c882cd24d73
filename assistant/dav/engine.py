"""Keeps an account's collections in step with its server, in the background, as long as the daemon runs.

A round takes in what is new on the server, then sends what was changed here. It runs every few minutes, and at once
after a local change; without a server it waits, longer each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin

from assistant.dav import folder as files
from assistant.dav.discover import Collection, Kind, collections, look
from assistant.dav.items import Gone, Items
from assistant.dav.notices import tell_conflicts, tell_restored
from assistant.dav.pull import Puller
from assistant.dav.push import Pusher
from assistant.dav.replicas import ACCOUNTS
from assistant.dav.state import State
from assistant.dav.status import Status
from assistant.dav.web import Refusals, Trouble, Web, code_of
from assistant.dav.world import World
from assistant.remote import Account

_log = logging.getLogger(__name__)
_EVERY_S = 300.0
_LOOK_S = 2.0
_DISCOVER_S = 3600.0
_BACK_OFF_S = (15.0, 30.0, 60.0, 120.0, 300.0)
_BACK_OFF_LOGIN_S = 60.0
"""How soon is looked whether the user has logged in again; what was refused is not shown to the server so soon."""
Wanted = Callable[[Collection], bool]
After = Callable[[], Awaitable[None]]


class Engine:
    """One account and one kind of collection. `wanted` leaves collections out;"""

    def __init__(self, ctx: World, name: str, account: Account, kind: Kind, wanted: Wanted | None = None) -> None:
        self._ctx = ctx
        self._name = name
        self._account = account
        self._kind = kind
        self._wanted = wanted or (lambda _: True)
        self._begun = time.time()  # not monotonic: that stands still while the machine sleeps
        self.folder = ctx.folder / ACCOUNTS / files.safe_name(name, set())
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.state = State(self.folder)
        self.status = Status(self.folder, self.now)
        self._known: list[Collection] = []
        self._discovered: float | None = None
        self._refusals = Refusals()

    def close(self) -> None:
        """Let go of the files."""
        self.state.close()

    def now(self) -> datetime:
        """The time, from the context's own clock on."""
        return self._ctx.now + timedelta(seconds=time.time() - self._begun)

    async def round(self) -> int:
        """Once through all collections; how many files or items changed. Raises Trouble."""
        self.status.done = self.status.total = 0
        changed = 0
        async with Web(self._name, self._account, self._ctx.accounts, self._refusals) as web:
            for collection in await self._collections(web):
                try:
                    changed += await self._one(web, collection)
                except Gone:
                    self._discovered = None  # asked about anew in the next round, and set aside if it is gone
        await tell_conflicts(self._ctx, self._name, self.state, self.folder, self.now())
        return changed

    async def run(self, after: After | None = None) -> None:
        """Round after round, until it is cancelled."""
        failures = 0
        while True:
            stamp = await asyncio.to_thread(self.stamp)
            try:
                self.status.write("syncing")
                await self.round()
                self.status.write("idle")
                failures, wait = 0, _EVERY_S
                if after is not None:
                    await after()
            except Trouble as trouble:
                wait = await self._troubled(trouble, failures)
                failures += 1
            except (OSError, sqlite3.Error, files.Changed) as error:  # a full disk, most often: nothing was lost by it
                _log.warning("account %s: %s", self._name, error)
                with contextlib.suppress(OSError):
                    self.status.write("offline", "dav.disk")
                wait = _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)]
                failures += 1
            await self._rest(wait, stamp if not failures else None)

    def stamp(self) -> tuple[tuple[str, int], ...]:
        """Changes when a file comes, goes or is replaced in any collection; costs a look at each folder."""
        found = []
        for folder, _ in self.state.collections().values():
            with contextlib.suppress(OSError):
                found.append((folder, (self.folder / folder).stat().st_mtime_ns))
        return tuple(found)

    async def _rest(self, wait: float, stamp: object) -> None:
        """Wait, but no longer than until something is changed here (where the server can be reached)."""
        until = time.monotonic() + wait
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(_LOOK_S, left))
            if stamp is not None and await asyncio.to_thread(self.stamp) != stamp:
                return

    async def _troubled(self, trouble: Trouble, failures: int) -> float:
        _log.info("account %s: %s", self._name, trouble)
        if trouble.code == "needs_login":
            self.status.write("needs_login", code_of(trouble))  # who gives out credentials has told the user
            return _BACK_OFF_LOGIN_S
        self.status.write("offline", code_of(trouble))
        wait = max(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)], trouble.wait_s)
        return wait * random.uniform(1.0, 1.25)

    async def _collections(self, web: Web) -> list[Collection]:
        now = time.monotonic()
        if self._discovered is None or now - self._discovered > _DISCOVER_S:
            start = self._account.carddav if self._kind == "contacts" else self._account.caldav
            self._known = [one for one in await collections(web, start, self._kind) if self._wanted(one)]
            await self._forget_gone(web)
            self._discovered = now
        return self._known

    async def _forget_gone(self, web: Web) -> None:
        """Collections that are no longer listed, and really are not there, leave; what is in them is set aside."""
        paths = {one.path for one in self._known}
        for path, (folder, _) in self.state.collections().items():
            if path in paths:
                continue
            url = self._known[0].url if self._known else (self._account.carddav or self._account.caldav)
            if await look(web, urljoin(url, path), self._kind) is None:
                if (self.folder / folder).exists():
                    aside = files.set_aside(self.folder / folder, self.folder / ".removed")
                    _log.warning("%s/%s is gone on the server: its copy is in %s", self._name, folder, aside)
                self.state.forget_collection(folder)

    async def _one(self, web: Web, collection: Collection) -> int:
        folder, token = await asyncio.to_thread(self._folder, collection)
        items = Items(web, collection, self._kind)
        ending = ".vcf" if self._kind == "contacts" else ".ics"
        puller = Puller(self.state, self.folder / folder, ending, self.now)
        changed = await self._pull(items, puller, token)
        pusher = Pusher(items, puller)
        changed += await pusher.push()
        if pusher.restored:
            await tell_restored(self._ctx, f"{self._name}/{folder}", pusher.restored, self.now())
        return changed

    async def _pull(self, items: Items, puller: Puller, token: str) -> int:
        sent = await asyncio.to_thread(self.state.sent, puller.name)
        news = await items.changes(token)
        known = await asyncio.to_thread(self.state.etags, puller.name)
        wanted = [path for path, etag in news.etags.items() if not etag or known.get(path) != etag]
        gone = set(news.gone) & known.keys()
        if news.whole:
            gone |= known.keys() - news.etags.keys()
        changed = 0
        if gone:
            changed += await asyncio.to_thread(puller.lose, gone)
        self.status.total += len(wanted)
        async for batch in items.fetch(wanted):
            await self._ctx.quiet.wait()  # nobody's turn waits for thousands of files to be written
            changed += await asyncio.to_thread(puller.take_all, batch)
            self.status.done += len(batch)
            self.status.write("syncing")
        for path in sent - news.etags.keys() - news.gone:
            item = await items.get(path)
            changed += await asyncio.to_thread(puller.take, item)
        if news.token != token or sent:
            await asyncio.to_thread(self.state.set_token, puller.name, news.token, sent)
        return changed

    def _folder(self, collection: Collection) -> tuple[str, str]:
        """The collection's folder, made if need be, and how far it is known."""
        known = self.state.collections().get(collection.path)
        if known is None:
            taken = {folder.casefold() for folder, _ in self.state.collections().values()}
            taken |= {one.name.casefold() for one in self.folder.iterdir()}
            known = (files.safe_name(collection.name, taken), "")
            self.state.add_collection(collection.path, collection.url, known[0])
        place = self.folder / known[0]
        if not place.exists():
            if rows := self.state.rows(known[0]):  # the folder is gone, not what was in it: fetch all again
                _log.warning("%s is gone: its %d items are fetched again", place, len(rows))
                self.state.forget_items(known[0])
            known = (known[0], "")
            place.mkdir(mode=0o700)
        name = " ".join(collection.name.split())[:200]
        files.describe(place, name, collection.color, writable=collection.writable)
        return known


async def keep_all(ctx: World, kind: Kind, *, only: str = "", after: After | None = None) -> None:
    """Keep all accounts that have such collections in step, side by side; see `replicas.keep_in_step`."""
    names = {name: files.safe_name(name, set()) for name in ctx.accounts.all()}
    await asyncio.to_thread(_tidy, ctx.folder / ACCOUNTS, set(names.values()))
    account_of_only, _, collection = only.partition("/")
    async with asyncio.TaskGroup() as group:
        for name, account in ctx.accounts.all().items():
            if (account.carddav if kind == "contacts" else account.caldav) and (
                not only or names[name] == account_of_only
            ):
                group.create_task(_keep(ctx, name, account, kind, _named(collection) if only else None, after))


def _named(name: str) -> Wanted:
    """Collections that are called so, by the server or by their folder here."""
    meant = name.strip().casefold()
    return lambda one: meant in (one.name.strip().casefold(), files.safe_name(one.name, set()).casefold())


async def _keep(
    ctx: World, name: str, account: Account, kind: Kind, wanted: Wanted | None, after: After | None
) -> None:
    while True:
        try:
            engine = await asyncio.to_thread(Engine, ctx, name, account, kind, wanted)
        except (OSError, sqlite3.Error) as error:
            _log.warning("account %s can't be kept in step: %s", name, error)
            await asyncio.sleep(_BACK_OFF_S[-1])
            continue
        try:
            await engine.run(after)
        except Exception:  # a fault of ours must not end the other accounts' work
            _log.exception("account %s: the synchronisation failed", name)
            await asyncio.sleep(_BACK_OFF_S[-1])
        finally:
            engine.close()


def _tidy(folder: Path, accounts: set[str]) -> None:
    """Copies of accounts that are no longer in the settings are no one's calendars: they go out of sight."""
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one.is_dir() and not one.name.startswith(".") and one.name not in accounts:
            target = folder / f".{one.name}.removed"
            if target.exists():
                shutil.rmtree(target, ignore_errors=True)
            one.rename(target)
            _log.info("the copy of the account %s, which is no longer in the settings, is now %s", one.name, target)
