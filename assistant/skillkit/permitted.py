"""What a manifest's `permissions` mean on this machine: folders, hosts, and which secret may go to which host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.paths import Paths
from assistant.sandbox.addresses import NotAllowed, Place, place_of
from assistant.skillkit.manifest import Manifest
from assistant.skillkit.problems import Fault

_SETTING = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_SECRET = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,60})@(\S+)")
_WRITES = "rw:"
_ANY = "*"


@dataclass(frozen=True)
class Permitted:
    """All that one skill may reach beside its own two folders."""

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    places: frozenset[Place] = frozenset()
    secrets: Mapping[str, frozenset[str]] | None = None
    """By name: the hosts that it may be sent to."""


def permitted(manifest: Manifest, settings: Mapping[str, Any], paths: Paths) -> Permitted:
    """Read the manifest's permissions. Raises Fault on one that can't be given or makes no sense."""
    read, write = _folders(manifest, settings, paths)
    places = frozenset(place for entry in manifest.permissions.network for place in _places(entry, settings))
    secrets: dict[str, frozenset[str]] = {}
    for entry in manifest.permissions.secrets:
        found = _SECRET.fullmatch(entry)
        hosts = {place.host for place in places if found and found[2] in (place.host, _ANY) and _fits(found[2], place)}
        declared = any(found and one.rpartition(":")[0] == found[2] for one in manifest.permissions.network)
        if found is None or not declared:
            raise Fault("skillkit.bad_secret", entry=entry[:200])
        secrets[found[1]] = secrets.get(found[1], frozenset()) | hosts
    return Permitted(read, write, places, secrets)


def kept_as(skill: str, secret: str) -> str:
    """The name under which a skill's secret is kept: no skill can name one of another, or of the program."""
    return f"skills/{skill}/{secret}"


def _fits(wanted: str, place: Place) -> bool:
    return place.of_the_user if wanted == _ANY else not place.of_the_user


def _places(entry: str, settings: Mapping[str, Any]) -> Iterable[Place]:
    """`host:port`; `*:port` are the hosts that the user wrote into the skill's settings."""
    host, _, port = entry.rpartition(":")
    if host == _ANY and port.isdigit():
        return [Place(one, int(port), of_the_user=True) for one in _hosts_in(settings)]
    try:
        return [place_of(entry)]
    except NotAllowed as error:
        raise Fault("skillkit.bad_network", entry=entry[:200]) from error


def _hosts_in(settings: Mapping[str, Any]) -> Iterable[str]:
    values = [one for value in settings.values() for one in (value if isinstance(value, list) else [value])]
    for value in values:
        if isinstance(value, str):
            authority = value.partition("://")[2].partition("/")[0] if "://" in value else value
            try:
                yield place_of(authority.rpartition("@")[2], 1).host
            except NotAllowed:
                continue


def _folders(
    manifest: Manifest, settings: Mapping[str, Any], paths: Paths
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    read: list[Path] = []
    write: list[Path] = []
    for entry in manifest.permissions.files:
        bare = entry.removeprefix(_WRITES)
        named = _SETTING.fullmatch(bare)
        value = settings.get(named[1]) if named else bare
        if named and named[1] not in manifest.settings:
            raise Fault("skillkit.bad_folder", entry=entry[:200])
        if value is None:
            continue  # the user has not set it: nothing to give
        try:
            folder = Path(str(value)).expanduser()
        except RuntimeError:
            raise Fault("skillkit.bad_folder", entry=entry[:200]) from None
        if not folder.is_absolute() or ".." in folder.parts:
            raise Fault("skillkit.bad_folder", entry=entry[:200])
        if holder := _guarded(folder, paths):
            raise Fault("skillkit.guarded_folder", entry=entry[:200], folder=str(holder))
        (write if entry.startswith(_WRITES) else read).append(folder)
    return tuple(read), tuple(write)


def _guarded(folder: Path, paths: Paths) -> Path | None:
    """What lies in or around a folder that no skill may have: our own data, keys, the system's."""
    home = Path.home()
    ours = (paths.config, paths.data, paths.models, paths.state, paths.run)
    keys = [home / name for name in (".ssh", ".gnupg", ".password-store", ".aws", ".local/share/keyrings", ".mozilla")]
    system = [
        Path(name) for name in ("/etc", "/proc", "/sys", "/dev", "/run/user", "/run/dbus", "/boot", "/root", "/var")
    ]
    for form in {folder, folder.resolve()}:
        for guarded in (*ours, *keys):
            real = guarded.resolve()
            if form.is_relative_to(guarded) or guarded.is_relative_to(form) or real.is_relative_to(form):
                return guarded
            if form.is_relative_to(real):
                return guarded
        for guarded in system:
            inside_home = form.is_relative_to(home) and home.is_relative_to(guarded)
            if (form.is_relative_to(guarded) and not inside_home) or guarded.is_relative_to(form):
                return guarded
    return None
