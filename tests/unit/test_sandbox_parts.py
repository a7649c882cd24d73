"""The parts of the sandbox that are pure: numbers of calls, hosts and addresses, what a manifest may ask for."""

from __future__ import annotations

import ctypes
import ctypes.util
import ipaddress
from pathlib import Path
from typing import Any

import pytest

from assistant.sandbox.addresses import NotAllowed, Place, fits, place_of
from assistant.sandbox.reach import Confinement, Limits
from assistant.sandbox.seccomp import program, rules
from assistant.sandbox.syscalls import AARCH64, NUMBERS, X86_64, number
from assistant.skillkit.manifest import Manifest
from assistant.skillkit.permitted import kept_as, permitted
from assistant.skillkit.problems import Fault
from tests.support.skills import paths_of


@pytest.mark.skipif(ctypes.util.find_library("seccomp") is None, reason="libseccomp, which knows them, is not here")
@pytest.mark.parametrize(("machine", "audit"), [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_the_numbers_of_calls_are_those_that_libseccomp_knows(machine: str, audit: int) -> None:
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    resolve = library.seccomp_syscall_resolve_name_arch
    resolve.argtypes, resolve.restype = [ctypes.c_uint32, ctypes.c_char_p], ctypes.c_int
    for name in NUMBERS:
        theirs, ours = resolve(audit, name.encode()), number(name, machine)
        if theirs >= 0:
            assert ours == theirs, name
        elif ours is not None:
            assert ours > 440, f"{name} is newer than the library, or not there"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_denied_call_has_a_number_and_the_filter_is_one_the_kernel_takes(machine: str) -> None:
    for boxed in (True, False):
        denied = rules(boxed=boxed, pid=7)
        assert set(denied) <= set(NUMBERS)
        code = program(denied, machine)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4096


def test_what_a_process_gives_up_survives_its_command_line() -> None:
    whole = Confinement(read=("/a b",), write=("/c",), devices=("/dev/x",), boxed=True, limits=Limits(cpu_s=3))
    assert Confinement.of(whole.told()) == whole
    assert Confinement.of(Confinement().told()) == Confinement()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Api.Example.org:443", Place("api.example.org", 443)),
        ("example.org.:80", Place("example.org", 80)),
        ("[::1]:8080", Place("::1", 8080)),
        ("127.0.0.1:1", Place("127.0.0.1", 1)),
    ],
)
def test_a_place_is_a_host_and_a_port(text: str, place: Place) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize(
    "text",
    "|a|a:|:1|a:0|a:65536|a:1:2|u@a:1|a:1@b|a/b:1|a b:1|[::1:1|[x]:1|*:1|-a:1|a..b:1|a:1\n|é:1|a:１".split("|"),
)
def test_nothing_else_is_a_place(text: str) -> None:
    with pytest.raises(NotAllowed):
        place_of(text)


@pytest.mark.parametrize(
    ("host", "address", "fit"),
    [
        ("api.example.org", "93.184.215.14", True),
        ("api.example.org", "2606:2800:21f::1", True),
        ("api.example.org", "127.0.0.1", False),
        ("api.example.org", "10.1.2.3", False),
        ("api.example.org", "192.168.0.1", False),
        ("api.example.org", "100.64.0.1", False),
        ("api.example.org", "169.254.169.254", False),
        ("api.example.org", "0.0.0.0", False),
        ("api.example.org", "224.0.0.1", False),
        ("api.example.org", "::1", False),
        ("api.example.org", "fe80::1", False),
        ("api.example.org", "fd00::1", False),
        ("api.example.org", "::ffff:10.0.0.1", False),
        ("api.example.org", "64:ff9b::7f00:1", False),
        ("api.example.org", "2002:7f00:1::", False),
        ("nas.local", "192.168.0.9", True),
        ("nas.local", "127.0.0.1", False),
        ("nas", "192.168.0.9", True),
        ("localhost", "127.0.0.1", True),
        ("localhost", "192.168.0.1", False),
        ("192.168.0.9", "192.168.0.9", True),
    ],
)
def test_a_name_leads_only_where_such_a_name_may(host: str, address: str, fit: bool) -> None:
    assert fits(Place(host, 443), ipaddress.ip_address(address)) is fit


def manifest(**permissions: list[str]) -> Manifest:
    given: dict[str, Any] = {"name": "rogue", "version": "1", "api": 1, "description": {"en": "x"}, "tools": {}}
    settings = {"shared": {"type": "path", "description": {"en": "x"}}}
    return Manifest.model_validate(given | {"permissions": permissions, "settings": settings})


def test_permissions_become_folders_places_and_hosts_of_secrets(tmp_path: Path) -> None:
    asked = manifest(
        files=[str(tmp_path / "a"), f"rw:{tmp_path / 'b'}", "{shared}"],
        network=["api.example.org:443", "*:993"],
        secrets=["token@api.example.org", "mail@*"],
    )
    found = permitted(asked, {"shared": tmp_path / "c", "server": "mail.example.net"}, paths_of(tmp_path / "home"))
    assert found.read == (tmp_path / "a", tmp_path / "c")
    assert found.write == (tmp_path / "b",)
    mail = Place("mail.example.net", 993, of_the_user=True)
    assert found.places == {Place("api.example.org", 443), mail}
    assert found.secrets == {"token": frozenset({"api.example.org"}), "mail": frozenset({"mail.example.net"})}
    assert permitted(asked, {}, paths_of(tmp_path / "home")).read == (tmp_path / "a",)
    assert kept_as("rogue", "email.smtp") != "email.smtp"


@pytest.mark.parametrize(
    ("kind", "entry", "code"),
    [
        ("files", "/", "skillkit.guarded_folder"),
        ("files", "~", "skillkit.guarded_folder"),
        ("files", "~/.ssh", "skillkit.guarded_folder"),
        ("files", "/etc", "skillkit.guarded_folder"),
        ("files", "/proc/self", "skillkit.guarded_folder"),
        ("files", "{home}", "skillkit.guarded_folder"),
        ("files", "{home}/data/vault", "skillkit.guarded_folder"),
        ("files", "rw:{link}", "skillkit.guarded_folder"),
        ("files", "relative", "skillkit.bad_folder"),
        ("files", "/tmp/../etc", "skillkit.bad_folder"),
        ("files", "{{nothing}}", "skillkit.bad_folder"),
        ("network", "https://example.org", "skillkit.bad_network"),
        ("network", "*.example.org:443", "skillkit.bad_network"),
        ("network", "*:*", "skillkit.bad_network"),
        ("secrets", "token", "skillkit.bad_secret"),
        ("secrets", "token@example.org", "skillkit.bad_secret"),
    ],
)
def test_what_no_skill_may_have_is_refused(tmp_path: Path, kind: str, entry: str, code: str) -> None:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    asked = manifest(**{kind: [entry.format(home=home, link=tmp_path / "link")]})
    with pytest.raises(Fault) as refused:
        permitted(asked, {}, paths_of(home))
    assert refused.value.code == code
