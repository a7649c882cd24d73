"""Where passwords are kept. Example run: python -m pytest tests/unit/test_safety_secrets.py -v"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend

from assistant.errors import AssistantError
from assistant.paths import find
from assistant.safety import secrets as module
from assistant.safety.secrets import SystemSecrets, allowed, open_secrets
from assistant.safety.vault import KeySource, Vault, key_source


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    file = tmp_path / "vault.json"
    return Vault(file, key_source(file, {}))


def again(vault: Vault) -> Vault:
    """The same vault in a new process."""
    return Vault(vault.file, vault.source)


def fails(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(AssistantError) as error:
        call()
    assert error.value.code == code


def test_a_secret_comes_back_and_can_be_replaced_and_forgotten(vault: Vault) -> None:
    assert vault.get("imap") is None
    vault.put("imap", "Passwort 密码")
    vault.put("smtp", "b")
    assert again(vault).get("imap") == "Passwort 密码"
    vault.put("imap", "new")
    assert again(vault).get("imap") == "new"
    assert again(vault).delete("imap") is True
    assert again(vault).delete("imap") is False
    assert (again(vault).get("imap"), again(vault).get("smtp")) == (None, "b")


def test_the_file_and_its_key_are_their_owners_alone_and_hide_the_secret(vault: Vault) -> None:
    vault.put("imap", "hunter2")
    assert "hunter2" not in vault.file.read_text()
    for file in (vault.file, vault.source.file):
        assert file.stat().st_mode & 0o777 == 0o600
    assert list(vault.file.parent.glob("*.tmp")) == []


def test_asking_for_a_secret_makes_no_file(vault: Vault) -> None:
    assert vault.get("imap") is None
    assert vault.delete("imap") is False
    assert list(vault.file.parent.iterdir()) == []


def test_the_right_passphrase_opens_it_and_a_wrong_one_neither_reads_nor_writes(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\n")
    wrong.write_text("battery staple\n")
    file = tmp_path / "vault.json"
    Vault(file, KeySource("passphrase", right)).put("imap", "x")
    before = file.read_bytes()
    other = Vault(file, KeySource("passphrase", wrong))
    fails("secrets.wrong_key", lambda: other.get("imap"))
    fails("secrets.wrong_key", lambda: other.put("smtp", "y"))
    fails("secrets.wrong_key", lambda: other.delete("imap"))
    assert file.read_bytes() == before
    wrong.write_text("correct horse")
    assert other.get("imap") == "x"


def test_a_lost_key_file_is_said_and_never_made_anew(vault: Vault) -> None:
    vault.put("imap", "x")
    vault.source.file.unlink()
    fails("secrets.key_missing", lambda: again(vault).get("imap"))
    fails("secrets.key_missing", lambda: again(vault).put("smtp", "y"))
    assert not vault.source.file.exists()


def test_a_passphrase_file_that_is_missing_or_empty_is_said(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault.json", KeySource("passphrase", tmp_path / "nothing"))
    fails("secrets.key_missing", lambda: vault.put("imap", "x"))
    (tmp_path / "nothing").write_text("\n")
    fails("secrets.key_missing", lambda: vault.put("imap", "x"))
    assert not vault.file.exists()


def test_a_secret_moved_to_another_name_does_not_open(vault: Vault) -> None:
    vault.put("imap", "x")
    vault.put("smtp", "y")
    content = json.loads(vault.file.read_text())
    key = again(vault)._open(content)
    with pytest.raises(AssistantError) as error:
        vault._unseal(key, "imap", content["secrets"]["smtp"])
    assert error.value.code == "secrets.corrupt"


def test_a_secret_dropped_renamed_or_put_back_by_somebody_else_is_noticed(vault: Vault) -> None:
    vault.put("imap", "old")
    old = json.loads(vault.file.read_text())["secrets"]["imap"]
    vault.put("imap", "new")
    good = json.loads(vault.file.read_text())
    for changed in ({}, {"smtp": good["secrets"]["imap"]}, {"imap": old}, {**good["secrets"], "smtp": old}):
        text = json.dumps(good | {"secrets": changed})
        vault.file.write_text(text)
        fails("secrets.corrupt", lambda: again(vault).get("imap"))
        fails("secrets.corrupt", lambda: again(vault).put("imap", "x"))
        assert vault.file.read_text() == text


def test_a_vault_of_another_service_does_not_open(vault: Vault) -> None:
    vault.put("imap", "x")
    fails("secrets.wrong_key", lambda: Vault(vault.file, vault.source, "other").get("imap"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_an_error_and_is_never_overwritten(vault: Vault, data: st.DataObject) -> None:
    vault.file.unlink(missing_ok=True)
    vault.put("imap", "x")
    good = vault.file.read_bytes()
    if data.draw(st.booleans()):
        damaged = data.draw(st.binary(max_size=60))
    else:
        cut = data.draw(st.integers(0, len(good) - 1))
        damaged = good[:cut] + data.draw(st.binary(min_size=1, max_size=2)) + good[cut + 2 :]
    vault.file.write_bytes(damaged)
    for call in (lambda: again(vault).get("imap"), lambda: again(vault).put("imap", "y")):
        code = ""
        try:
            call()
        except AssistantError as error:
            code = error.code
        if code == "":  # white space, or the very same bytes were hit
            assert json.loads(damaged) == json.loads(good)
            break
        assert code in ("secrets.corrupt", "secrets.wrong_key")
        assert vault.file.read_bytes() == damaged


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '"x"', "null", '{"version": 2}', '{"version": 1, "salt": 3}', "[" * 100_000]
)
def test_a_file_that_is_no_vault_is_refused_and_kept(vault: Vault, content: str) -> None:
    vault.file.write_text(content)
    fails("secrets.corrupt", lambda: vault.get("imap"))
    fails("secrets.corrupt", lambda: vault.put("imap", "x"))
    assert vault.file.read_text() == content


def test_two_processes_that_write_at_once_lose_nothing(vault: Vault) -> None:
    vault.put("start", "x")
    threads = [
        threading.Thread(target=lambda name=name: [again(vault).put(f"{name}{n}", "v") for n in range(5)])
        for name in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads(vault.file.read_text())["secrets"]) == 16


def test_the_key_comes_from_the_passphrase_file_then_systemd_then_a_key_file(tmp_path: Path) -> None:
    vault = tmp_path / "vault.json"
    assert key_source(vault, {}) == KeySource("key_file", tmp_path / "vault.key")
    credentials = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert key_source(vault, credentials).kind == "key_file"
    (tmp_path / "assistant-vault").write_text("x")
    assert key_source(vault, credentials) == KeySource("credential", tmp_path / "assistant-vault")
    named = credentials | {"ASSISTANT_VAULT_PASSPHRASE_FILE": str(tmp_path / "p")}
    assert key_source(vault, named) == KeySource("passphrase", tmp_path / "p")


def test_the_real_cost_of_scrypt_works_too(vault: Vault) -> None:
    vault.put("imap", "x")
    assert again(vault).get("imap") == "x"


# --- the keyring ----------------------------------------------------------------------------------------------------


class MemoryKeyring(KeyringBackend):
    """A keyring that a test can lock or let hang: neither can be caused with a real one on a test machine."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.hang = threading.Event()
        self.hang.set()
        self.error: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self.hang.wait(10)
        if self.error:
            raise self.error
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def system(vault: Vault, timeout_s: float = 5) -> SystemSecrets:
    marker = vault.file.with_name("keyring.used")
    return SystemSecrets(vault=vault, service="assistant test", marker=marker, timeout_s=timeout_s)


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    keyring = MemoryKeyring()
    monkeypatch.setattr("keyring.get_keyring", lambda: keyring)
    monkeypatch.setattr(module, "ALLOWED", frozenset({f"{__name__}.MemoryKeyring"}))
    return keyring


async def test_an_allowed_keyring_is_used_and_the_vault_is_not(vault: Vault, keyring: MemoryKeyring) -> None:
    secrets = system(vault)
    await secrets.put("imap", "x")
    assert keyring.kept == {("assistant test", "imap"): "x"}
    assert await secrets.get("imap") == "x"
    assert await secrets.delete("imap") is True
    assert await secrets.delete("imap") is False
    assert not vault.file.exists()
    assert (await secrets.describe()).sentence == "keyring"


async def test_a_keyring_that_is_not_on_the_list_is_refused(
    vault: Vault, keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALLOWED", frozenset({"keyring.backends.SecretService.Keyring"}))
    secrets = system(vault)
    await secrets.put("imap", "x")
    assert keyring.kept == {}
    assert await secrets.get("imap") == "x"
    report = await secrets.describe()
    assert (report.store, report.key, report.sentence) == ("vault", "key_file", "vault_key_file")


def test_plain_text_null_and_failing_keyrings_are_not_on_the_list() -> None:
    from keyring.backends import SecretService, chainer, fail, kwallet, libsecret, macOS, null

    plaintext = type("PlaintextKeyring", (), {"__module__": "keyrings.alt.file"})()
    refused = [plaintext, null.Keyring(), fail.Keyring(), chainer.ChainerBackend(), object.__new__(libsecret.Keyring)]
    assert [store for store in refused if allowed(store)] == []
    for kind in (SecretService.Keyring, kwallet.DBusKeyring, macOS.Keyring):
        assert allowed(kind.__new__(kind))


async def test_a_keyring_that_hangs_on_its_prompt_is_an_error_after_a_while(
    vault: Vault, keyring: MemoryKeyring
) -> None:
    keyring.hang.clear()
    with pytest.raises(AssistantError) as error:
        await system(vault, timeout_s=0.05).get("imap")
    assert error.value.code == "secrets.locked"
    keyring.hang.set()


async def test_a_locked_keyring_and_a_broken_one_are_told_apart(vault: Vault, keyring: MemoryKeyring) -> None:
    from keyring.errors import KeyringError, KeyringLocked

    for raised, code in ((KeyringLocked("no"), "secrets.locked"), (KeyringError("odd"), "secrets.failed")):
        keyring.error = raised
        with pytest.raises(AssistantError) as error:
            await system(vault).get("imap")
        assert error.value.code == code
    assert not vault.file.exists()


async def test_secrets_in_a_keyring_that_is_gone_are_not_begun_anew_in_a_vault(
    vault: Vault, keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    await system(vault).put("imap", "x")
    monkeypatch.setattr(module, "ALLOWED", frozenset())
    with pytest.raises(AssistantError) as error:
        await system(vault).put("smtp", "y")
    assert error.value.code == "secrets.keyring_gone"
    assert not vault.file.exists()


async def test_a_vault_that_exists_is_used_even_if_a_keyring_appears(vault: Vault, keyring: MemoryKeyring) -> None:
    vault.put("imap", "x")
    assert await system(vault).get("imap") == "x"
    assert keyring.kept == {}


async def test_many_at_once_do_not_disturb_each_other(vault: Vault, keyring: MemoryKeyring) -> None:
    vault.put("start", "x")
    secrets = system(vault)
    await asyncio.gather(*(secrets.put(f"n{n}", str(n)) for n in range(10)))
    assert await asyncio.gather(*(secrets.get(f"n{n}") for n in range(10))) == [str(n) for n in range(10)]


def test_opening_secrets_loads_neither_keyring_nor_cryptography(tmp_path: Path) -> None:
    script = (
        "import sys; from assistant.paths import find; from assistant.safety.secrets import open_secrets;"
        "open_secrets(find()); print([m for m in ('keyring', 'cryptography') if m in sys.modules])"
    )
    environment = os.environ | {"ASSISTANT_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_without_a_keyring_the_home_gets_a_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keyring.backends import fail

    monkeypatch.setattr("keyring.get_keyring", fail.Keyring)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    paths = find()
    paths.make()
    await open_secrets(paths).put("approval-key", "00ff")
    assert await open_secrets(paths).get("approval-key") == "00ff"
    assert {file.name for file in paths.data.iterdir()} == {"vault.json", "vault.key", "vault.lock"}
