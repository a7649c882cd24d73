"""Passwords and tokens: in the system's keyring where there is a real one, else in the encrypted file.

Knows nothing of what they are for. A keyring that stores in plain text, or that is not known here, is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from assistant.concealed import conceal
from assistant.errors import AssistantError
from assistant.models import Value
from assistant.paths import Paths
from assistant.safety.vault import KeyKind, Vault, key_source

T = TypeVar("T")

ALLOWED = frozenset(
    {
        "keyring.backends.SecretService.Keyring",
        "keyring.backends.kwallet.DBusKeyring",
        "keyring.backends.kwallet.DBusKeyringKWallet4",
        "keyring.backends.macOS.Keyring",
        "keyring.backends.Windows.WinVaultKeyring",
    }
)
"""Back ends that encrypt. Every other is refused: keyrings.alt's PlaintextKeyring is chosen silently otherwise."""

_TIMEOUT_S = 30.0  # a locked keyring waits for a person at its prompt


class SecretsReport(Value):
    """Where secrets are kept, for `assistant doctor`; its sentence is `safety.secrets.<sentence>`."""

    store: Literal["keyring", "vault"]
    backend: str
    """The keyring's class, or the vault's file."""
    key: KeyKind | Literal[""] = ""
    """The vault's key: only a passphrase or a credential guards against somebody who can read the files."""
    source: str = ""
    """Where the vault's key is read."""

    @property
    def sentence(self) -> str:
        """`keyring`, `vault_passphrase`, `vault_credential` or `vault_key_file`."""
        return f"vault_{self.key}" if self.store == "vault" else "keyring"


class SystemSecrets:
    """Adapter of `ports.Secrets`. Which store is used is decided at the first call and stays.

    A vault that exists is used. Else an allowed keyring is. A keyring that holds secrets already (its marker says so)
    and can't be reached is an error, so that secrets never split over two stores.
    """

    def __init__(self, *, vault: Vault, service: str, marker: Path, timeout_s: float = _TIMEOUT_S) -> None:
        self._vault = vault
        self._service = service
        self._marker = marker
        self._timeout_s = timeout_s
        self._store: Any | None = None
        self._choosing = threading.Lock()

    async def get(self, name: str) -> str | None:
        """The secret, or None where none is stored.

        Raises AssistantError `secrets.locked`, `secrets.keyring_gone`, or what the vault raises.
        """
        found = await self._call(lambda store: self._vault.get(name) if store is None else self._read(store, name))
        if found is not None:
            conceal(found)
        return found

    async def put(self, name: str, value: str) -> None:
        """Store or replace a secret."""
        conceal(value)

        def write(store: Any) -> None:
            if store is None:
                self._vault.put(name, value)
                return
            self._marker.touch(mode=0o600)
            store.set_password(self._service, name, value)

        await self._call(write)

    async def delete(self, name: str) -> bool:
        """Forget a secret; False where there was none."""

        def forget(store: Any) -> bool:
            if store is None:
                return self._vault.delete(name)
            if self._read(store, name) is None:
                return False
            store.delete_password(self._service, name)
            return True

        return await self._call(forget)

    async def describe(self) -> SecretsReport:
        """Where secrets are kept, and what guards them."""
        store = await self._call(lambda store: store)
        if store is not None:
            return SecretsReport(store="keyring", backend=_name(store))
        source = self._vault.source
        return SecretsReport(store="vault", backend=str(self._vault.file), key=source.kind, source=str(source.file))

    def _read(self, store: Any, name: str) -> str | None:
        found = store.get_password(self._service, name)
        return None if found is None else str(found)

    async def _call(self, work: Callable[[Any], T]) -> T:
        """`work(keyring or None)` in a thread of its own, which a hanging keyring may keep for ever."""

        def run() -> T:
            with self._choosing:
                if self._store is None and not self._vault.file.exists():
                    self._store = _keyring()
                    if self._store is None and self._marker.exists():
                        raise AssistantError("secrets.keyring_gone")
            try:
                return work(self._store)
            except AssistantError:
                raise
            except Exception as error:
                if self._store is None:
                    raise
                raise _explain(error) from error

        return await _in_thread(run, self._timeout_s)


def open_secrets(paths: Paths) -> SystemSecrets:
    """The secrets of this assistant's home. Nothing is opened, asked or loaded before the first call."""
    file = paths.data / "vault.json"
    return SystemSecrets(
        vault=Vault(file, key_source(file, os.environ)),
        service=f"assistant {paths.data}",
        marker=paths.data / "keyring.used",
    )


def allowed(store: object) -> bool:
    """Whether a keyring back end is one of those that encrypt."""
    return _name(store) in ALLOWED


def _keyring() -> Any | None:
    """The system's keyring, or None where there is none that is allowed."""
    import keyring  # 0.2 s: only where secrets are really asked for
    from keyring.backends.chainer import ChainerBackend

    chosen = keyring.get_keyring()
    candidates = chosen.backends if isinstance(chosen, ChainerBackend) else [chosen]
    return next((store for store in candidates if allowed(store)), None)


def _name(store: object) -> str:
    return f"{type(store).__module__}.{type(store).__qualname__}"


def _explain(error: Exception) -> AssistantError:
    from keyring.errors import InitError, KeyringLocked

    if isinstance(error, KeyringLocked | InitError):
        return AssistantError("secrets.locked")
    return AssistantError("secrets.failed", problem=" ".join(str(error).split())[:200] or type(error).__name__)


async def _in_thread(work: Callable[[], T], timeout_s: float) -> T:
    """Run `work` in a daemon thread: one that never comes back must not hold up the program's end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(deliver: Callable[[], None]) -> None:
        if not future.done():
            deliver()

    def run() -> None:
        try:
            deliver = partial(future.set_result, work())
        except BaseException as error:
            deliver = partial(future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, deliver)

    threading.Thread(target=run, name="secrets", daemon=True).start()
    try:
        async with asyncio.timeout(timeout_s):
            return await future
    except TimeoutError as error:
        raise AssistantError("secrets.locked") from error
