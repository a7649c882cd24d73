"""Every setting, typed. The shipped `config.yaml`, the user's file, the environment and flags, in that order."""

from __future__ import annotations

import difflib
import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from assistant.errors import ConfigError
from assistant.remote import ACCOUNT_NAME, Account
from assistant.resources import bundled
from assistant.whole import write_whole

ENVIRONMENT_PREFIX = "ASSISTANT__"


_BEYOND = "beyond_loopback"
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")


def is_loopback(host: str) -> bool:
    """Whether nothing but this computer reaches that address. There is no TLS, so there is nothing beyond it."""
    return host in ("127.0.0.1", "::1")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AssistantSettings(_Section):
    """The assistant itself."""

    name: str = "Hearth"
    language: Literal["auto", "en", "zh"] = "auto"
    zone: str = ""

    @field_validator("zone")
    @classmethod
    def _exists(cls, zone: str) -> str:
        if zone:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f"{zone!r} is no IANA time zone, e.g. Europe/Berlin") from error
        return zone


class EngineSettings(_Section):
    """The language model on the device."""

    model: str = "auto"
    context: int = Field(4096, ge=512, le=1_048_576)
    threads: int = Field(0, ge=0, le=1024)
    gpu_layers: int = Field(0, ge=-1, le=1000)
    idle_unload_s: int = Field(0, ge=0)
    max_output_tokens: int = Field(512, ge=16, le=32_768)
    request_timeout_s: int = Field(300, ge=1)


class ConversationSettings(_Section):
    """How a turn is decided."""

    max_steps: int = Field(6, ge=1, le=20)
    shortlist: int = Field(8, ge=1, le=8)
    history_turns: int = Field(6, ge=0, le=50)
    keep_days: int = Field(365, ge=0)


class ProfileSettings(_Section):
    """What is learned of the user from what they say."""

    learn: bool = True
    never: list[str] = Field(default_factory=list)
    suggest: bool = True


class ApprovalSettings(_Section):
    """How long a yes is waited for, and how long it can be taken back."""

    expire_s: int = Field(900, ge=10)
    hold_s: float = Field(10, ge=0)


class LimitSettings(_Section):
    """From where on a yes is not enough. Amounts are in the payment's own currency."""

    money_per_act: Decimal = Field(Decimal(500), ge=0)
    money_per_day: Decimal = Field(Decimal(1000), ge=0)
    acts_per_hour: int = Field(30, ge=1)


class OutboxSettings(_Section):
    """How outward acts are tried again."""

    settle_s: float = Field(20, ge=0)
    retry_s: list[float] = [5, 30, 120, 600, 3600]
    give_up_h: float = Field(48, gt=0)


class ServerSettings(_Section):
    """How programs reach the daemon."""

    tcp: bool = False
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65535)
    allowed_origins: list[str] = []

    @field_validator("host")
    @classmethod
    def _stays_here(cls, host: str) -> str:
        if not is_loopback(host):
            raise PydanticCustomError(_BEYOND, "only 127.0.0.1 and ::1 are served")
        return host

    @field_validator("allowed_origins")
    @classmethod
    def _whole(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin, e.g. http://localhost:5173")
        return origins


class NotifySettings(_Section):
    """How the user is told something unasked."""

    desktop: bool = True


class AuditSettings(_Section):
    """What the audit keeps."""

    bodies: bool = False


class LoggingSettings(_Section):
    """Logs."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    keep: int = Field(5, ge=1, le=100)


class SandboxSettings(_Section):
    """How code of others is contained."""

    skills: Literal["required", "best"] = "required"


class SkillSettings(_Section):
    """One skill's part; its settings are checked against its manifest when it is loaded."""

    enabled: bool | None = None
    settings: dict[str, Any] = {}


class Config(_Section):
    """All settings."""

    assistant: AssistantSettings = AssistantSettings()
    engine: EngineSettings = EngineSettings()
    conversation: ConversationSettings = ConversationSettings()
    profile: ProfileSettings = ProfileSettings()
    approvals: ApprovalSettings = ApprovalSettings()
    limits: LimitSettings = LimitSettings()
    outbox: OutboxSettings = OutboxSettings()
    server: ServerSettings = ServerSettings()
    notify: NotifySettings = NotifySettings()
    audit: AuditSettings = AuditSettings()
    logging: LoggingSettings = LoggingSettings()
    sandbox: SandboxSettings = SandboxSettings()
    accounts: dict[Annotated[str, Field(pattern=ACCOUNT_NAME)], Account] = {}
    skills: dict[str, SkillSettings] = {}


@dataclass(frozen=True)
class Loaded:
    """The settings, and for each dotted key who set it: `default`, a file with its line, `environment`, `flag`."""

    config: Config
    origins: Mapping[str, str]


def load(file: Path, *, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None) -> Loaded:
    """Read all layers. Raises ConfigError naming file, line, key and the mend."""
    environment = os.environ if environment is None else environment
    tree, lines = _read(file)
    origins = {key: f"{file}:{line}" for key, line in lines.items()}
    for name, raw in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            _set(tree, key, _scalar(raw))
            origins[key] = f"environment ({name})"
    for key, value in (flags or {}).items():
        _set(tree, key, value)
        origins[key] = "flag"
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise _explain(error, file, lines, origins) from error
    return Loaded(config, origins)


def language_of(config: Config) -> Literal["en", "zh"]:
    """The language of what is said unasked: the setting, else the environment's."""
    if config.assistant.language != "auto":
        return config.assistant.language
    spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if spoken.startswith("zh") else "en"


def defaults_text() -> str:
    """The shipped `config.yaml`."""
    return bundled("config.yaml").read_text(encoding="utf-8")


def flat(config: Config) -> dict[str, Any]:
    """Every setting by its dotted key."""
    return dict(_leaves(config.model_dump(mode="json")))


def change(file: Path, key: str, value: str, *, check: Callable[[Config], None] = lambda _: None) -> Config:
    """Set `key` in the user's file, keeping its comments. Nothing is written if the result is not valid.

    `check` may raise what else is wrong with the result, before it is written.
    """
    return _edit(file, lambda tree: _set(tree, key, _scalar(value)), check)


def put(file: Path, section: str, name: str, value: Mapping[str, Any]) -> Config:
    """Set a whole entry of a section, `accounts` say, in the user's file; as `change` does it."""

    def edit(tree: CommentedMap) -> None:
        entries = tree.get(section)
        if not isinstance(entries, CommentedMap):
            entries = tree[section] = CommentedMap()
        entries.fa.set_block_style()
        entries[name] = dict(value)

    return _edit(file, edit)


def drop(file: Path, section: str, name: str) -> Config:
    """Take an entry out of a section of the user's file; as `change` does it."""

    def edit(tree: CommentedMap) -> None:
        entries = tree.get(section)
        if isinstance(entries, CommentedMap):
            entries.pop(name, None)
            if not entries:
                del tree[section]

    return _edit(file, edit)


def _edit(file: Path, edit: Callable[[CommentedMap], None], check: Callable[[Config], None] = lambda _: None) -> Config:
    yaml = YAML()
    tree = (yaml.load(file.read_text(encoding="utf-8")) if file.exists() else None) or CommentedMap()
    edit(tree)
    try:
        config = Config.model_validate(_plain(tree))
    except ValidationError as error:
        raise _explain(error, file, {}, {}) from error
    check(config)
    text = io.StringIO()
    yaml.dump(tree, text)
    write_whole(file, text.getvalue().encode(), edge="config")
    return config


def _read(file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        tree = YAML().load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, {}
    except OSError as error:
        raise ConfigError("config.unreadable", file=str(file), problem=error.strerror or str(error)) from error
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        problem = " ".join(str(error).split())[:300]
        raise ConfigError("config.not_yaml", file=str(file), problem=problem) from error
    if tree is None:
        return {}, {}
    if not isinstance(tree, CommentedMap):
        raise ConfigError("config.not_yaml", file=str(file), problem="a list of `key: value` lines is expected")
    return _plain(tree), dict(_lines(tree))


def _plain(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {str(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_plain(value) for value in tree]
    return tree


def _lines(tree: CommentedMap, prefix: str = "") -> list[tuple[str, int]]:
    found = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        position = tree.lc.data.get(key) if tree.lc.data else None
        found.append((name, position[0] + 1 if position else 0))
        if isinstance(value, CommentedMap):
            found.extend(_lines(value, f"{name}."))
    return found


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            found.extend(_leaves(value, f"{prefix}{key}."))
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        child = tree.get(section)
        if not isinstance(child, dict):
            child = tree[section] = CommentedMap() if isinstance(tree, CommentedMap) else {}
        tree = child
    tree[last] = value


def _scalar(raw: str) -> Any:
    try:
        return YAML(typ="safe").load(raw)
    except YAMLError:
        return raw


def _explain(error: ValidationError, file: Path, lines: Mapping[str, int], origins: Mapping[str, str]) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(path)
    known = next((".".join(path[:size]) for size in range(len(path), 0, -1) if ".".join(path[:size]) in origins), key)
    where = origins.get(known, str(file))
    source = str(file) if where.startswith(str(file)) else where
    line = lines.get(known, 0)
    if first["type"] == "extra_forbidden":
        guess = _guess(path)
        return ConfigError("config.unknown_key", file=source, line=line, key=key, guess=guess)
    if first["type"] == _BEYOND:
        return ConfigError("config.beyond_loopback", file=source, line=line, key=key, host=first["input"])
    return ConfigError("config.invalid", file=source, line=line, key=key, problem=first["msg"])


def _guess(path: list[str]) -> str:
    """The known key most like the unknown one, among its siblings first, then everywhere."""
    known = _known(Config)
    close = difflib.get_close_matches(".".join(path), known, n=1, cutoff=0.4)
    by_leaf = [key for key in known if key.rsplit(".", 1)[-1] == path[-1]]
    return (by_leaf or close or known)[0]


def _known(model: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.extend(_known(kind, f"{prefix}{name}."))
        elif get_origin(kind) is dict and issubclass(get_args(kind)[1], BaseModel):
            found.extend(_known(get_args(kind)[1], f"{prefix}{name}.NAME."))
        else:
            found.append(f"{prefix}{name}")
    return found
