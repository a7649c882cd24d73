"""Secrets in one encrypted file, for machines without a keyring. Knows nothing of what the secrets are for.

scrypt (N = 2^15, r = 8, p = 1, RFC 7914) makes the key; each secret is sealed with AES-256-GCM under a nonce of its own
and with `service|name` as associated data, so that none can be moved to another's place. `check` seals a hash of all.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assistant.errors import AssistantError
from assistant.whole import write_whole

_N, _R, _P = 2**15, 8, 1
_CHECK = "check"
PASSPHRASE_VARIABLE = "ASSISTANT_VAULT_PASSPHRASE_FILE"
CREDENTIAL = "assistant-vault"
"""Name for systemd's `LoadCredential=assistant-vault:/path`."""

KeyKind = Literal["passphrase", "credential", "key_file"]


@dataclass(frozen=True)
class KeySource:
    """Where the vault's passphrase comes from."""

    kind: KeyKind
    file: Path

    def read(self, *, make: bool) -> bytes:
        """The passphrase. A key file is made if `make` allows it; anything else must be there already.

        Raises AssistantError `secrets.key_missing`.
        """
        if self.kind == "key_file" and make and not self.file.exists():
            _write_whole(self.file, base64.b64encode(secrets.token_bytes(32)) + b"\n")
        try:
            passphrase = self.file.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise AssistantError("secrets.key_missing", file=str(self.file)) from error
        if not passphrase:
            raise AssistantError("secrets.key_missing", file=str(self.file))
        return passphrase


def key_source(vault: Path, environment: Mapping[str, str]) -> KeySource:
    """The passphrase file the user names, systemd's credential, or a generated key beside the vault; in that order."""
    if named := environment.get(PASSPHRASE_VARIABLE):
        return KeySource("passphrase", Path(named).expanduser())
    if folder := environment.get("CREDENTIALS_DIRECTORY"):
        credential = Path(folder) / CREDENTIAL
        if credential.exists():
            return KeySource("credential", credential)
    return KeySource("key_file", vault.with_suffix(".key"))


class Vault:
    """The encrypted file. Its methods block (scrypt takes 0.1 s once, writes wait for the disk): call them in a thread.

    A file that is damaged, or that the key does not open, is never written to.
    """

    def __init__(self, file: Path, source: KeySource, service: str = "assistant") -> None:
        self.file = file
        self.source = source
        self._service = service
        self._key: tuple[bytes, bytes] | None = None
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The secret, or None. Raises AssistantError `secrets.corrupt`, `secrets.wrong_key`, `secrets.key_missing`."""
        with self._lock:
            content = self._read()
            if content is None:
                return None
            key = self._open(content)
            sealed = content["secrets"].get(name)
            return None if sealed is None else self._unseal(key, name, sealed)

    def put(self, name: str, value: str) -> None:
        """Store or replace, whole and durably. Raises what `get` does; then the file is as it was."""

        def change(content: dict[str, Any], key: bytes) -> bool:
            content["secrets"][name] = self._seal(key, name, value)
            return True

        self._change(change)

    def delete(self, name: str) -> bool:
        """Forget; False where there was none. Raises what `get` does."""
        if not self.file.exists():
            return False
        return self._change(lambda content, key: content["secrets"].pop(name, None) is not None)

    def _change(self, change: Callable[[dict[str, Any], bytes], bool]) -> bool:
        with self._lock, _locked(self.file.with_suffix(".lock")):
            content = self._read()
            if content is None:
                content = {"version": 1, "salt": _encode(secrets.token_bytes(16)), "secrets": {}}
                key = self._derive(content, make=True)
            else:
                key = self._open(content)
            changed = change(content, key)
            if changed:
                content[_CHECK] = self._seal(key, "", _digest(content))
                _write_whole(self.file, json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")
            return changed

    def _read(self) -> dict[str, Any] | None:
        try:
            content = json.loads(self.file.read_bytes())
            if content["version"] != 1 or len(_decode(content["salt"])) != 16:
                raise ValueError("unknown version")
            sealed = [content[_CHECK], *content["secrets"].values()]
            if any(len(_decode(one)) < 28 for one in sealed):
                raise ValueError("too short")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._corrupt(f"{type(error).__name__}") from error
        except OSError as error:
            raise self._corrupt(error.strerror or str(error)) from error
        return dict(content)

    def _corrupt(self, problem: str) -> AssistantError:
        return AssistantError("secrets.corrupt", file=str(self.file), problem=problem)

    def _open(self, content: dict[str, Any]) -> bytes:
        """The key, checked against the file."""
        key = self._derive(content, make=False)
        if self._unseal(key, "", content[_CHECK], wrong_key=True) != _digest(content):
            raise self._corrupt("the list of secrets was changed")
        return key

    def _derive(self, content: dict[str, Any], *, make: bool) -> bytes:
        salt = _decode(content["salt"])
        if self._key is None or self._key[0] != salt:
            passphrase = self.source.read(make=make)
            key = hashlib.scrypt(passphrase, salt=salt, n=_N, r=_R, p=_P, maxmem=2**26, dklen=32)
            self._key = (salt, key)
        return self._key[1]

    def _seal(self, key: bytes, name: str, value: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # heavy, and not needed with a keyring

        nonce = secrets.token_bytes(12)
        return _encode(nonce + AESGCM(key).encrypt(nonce, value.encode(), self._bound_to(name)))

    def _unseal(self, key: bytes, name: str, sealed: str, *, wrong_key: bool = False) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        raw = _decode(sealed)
        try:
            return AESGCM(key).decrypt(raw[:12], raw[12:], self._bound_to(name)).decode()
        except InvalidTag as error:
            if wrong_key:
                self._key = None
                source = str(self.source.file)
                raise AssistantError("secrets.wrong_key", file=str(self.file), source=source) from error
            raise self._corrupt(name) from error

    def _bound_to(self, name: str) -> bytes:
        return f"{self._service}|{name}".encode()


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decode(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    if _encode(raw) != text:
        raise ValueError("not canonical")
    return raw


def _digest(content: Mapping[str, Any]) -> str:
    """Over all names and sealed secrets: none is added, dropped, renamed or put back without the key."""
    return hashlib.sha256(json.dumps(content["secrets"], sort_keys=True).encode()).hexdigest()


def _write_whole(file: Path, content: bytes) -> None:
    try:
        write_whole(file, content, edge="vault")
    except OSError as error:
        raise AssistantError("secrets.failed", problem=error.strerror or str(error)) from error


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keeps other processes from changing the vault at the same time."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise AssistantError("secrets.failed", problem=error.strerror or str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
