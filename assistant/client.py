"""The one typed client of the daemon, over its Unix socket. Knows the wire and nothing of what a surface shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistant import launch
from assistant.client_profile import ProfileDoor
from assistant.errors import AssistantError
from assistant.events import Event, parse_event
from assistant.models import Approval, Operation, Plan, Receipt, Surface, UserContext
from assistant.paths import Paths, private_folder

_BASE = "http://localhost"  # a Unix socket has no host; the server allows this name
_ONE_EACH = httpx.Limits(max_connections=None, max_keepalive_connections=0)
_QUICK = httpx.Timeout(30, connect=5)
_PATIENT = httpx.Timeout(None, connect=5)  # a slow machine may think for minutes; the person can stop it
_LARGEST_EVENT = 16 * 2**20
_ANOTHER_S = 1  # where the daemon ended at once, another one, e.g. the service's, may be coming up

Model = TypeVar("Model", bound=BaseModel)


class NotRunning(AssistantError, ConnectionError):
    """No daemon listens on the socket."""

    default_code = "client.not_running"


class NoAnswer(AssistantError, TimeoutError):
    """The daemon is there but does not answer in time."""

    default_code = "client.no_answer"


class ConnectionLost(AssistantError, ConnectionError):
    """The daemon went away in the middle, or said something that can't be read."""

    default_code = "client.lost"


class StartFailed(AssistantError):
    """The daemon was started and did not come up. Data: reason, log."""

    default_code = "client.start_failed"


class RemoteProblem(AssistantError):
    """A problem that the daemon reported, with its own sentence and mend (RFC 9457)."""

    default_code = "client.refused"

    def __init__(self, code: str, message: str, mend: str = "", *, status: int = 500) -> None:
        super().__init__(code, status=status, detail=message)
        self.message = message
        self.mend = mend
        self.status = status


STARTING = "starting"
"""The status of a daemon whose socket is open and whose parts are being loaded."""


class Health(BaseModel):
    """What `/healthz` says."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    status: str
    version: str = ""
    pid: int
    uptime_s: float = 0
    model: dict[str, Any] = Field(default_factory=dict)
    skills: dict[str, Any] = Field(default_factory=dict)
    learns: bool = True  # of the user, from what they say
    notices: list[dict[str, Any]] = Field(default_factory=list)
    """What everybody is to be told: a backup that was restored, work that was cut off."""


class Client:
    """Speaks to the daemon. Use as `async with Client(paths) as client`.

    Every call raises NotRunning, NoAnswer, ConnectionLost or RemoteProblem, and nothing else; but ConfigError where
    the socket lies in a folder that somebody else could have put there: nothing is said to it.
    """

    def __init__(self, paths: Paths, *, language: str = "en") -> None:
        self._socket = paths.socket
        self._http = httpx.AsyncClient(
            # No TLS on a Unix socket: without `verify=False` 0.2 s go into loading certificates.
            # A connection for each request: one that is kept may be closed over there just as it is used again.
            transport=httpx.AsyncHTTPTransport(uds=str(self._socket), verify=False, limits=_ONE_EACH),
            base_url=_BASE,
            headers={"Accept-Language": language},
            timeout=_QUICK,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    # --- talking ---------------------------------------------------------------------------------------------

    async def health(self, *, timeout: float = 5) -> Health:
        """Whether and how the daemon is; `timeout` in seconds."""
        return _read(Health, await self._ask("GET", "/healthz", timeout=httpx.Timeout(timeout)))

    def turn(
        self,
        text: str,
        *,
        session: str | None = None,
        surface: Surface = "cli",
        language: str | None = None,
        attachments: Sequence[str] = (),
        present: bool = True,
    ) -> AsyncGenerator[Event, None]:
        """Say something; its events as they happen."""
        body: dict[str, Any] = {"text": text, "surface": surface, "present": present}
        body |= {"session": session} if session else {}
        body |= {"language": language} if language else {}
        body |= {"attachments": list(attachments)} if attachments else {}
        return self._stream("/v1/turns", body)

    async def cancel_turn(self, turn: str) -> None:
        """Stop a turn that runs."""
        await self._ask("POST", f"/v1/turns/{turn}/cancel")

    async def plan(
        self,
        text: str,
        *,
        now: datetime | None = None,
        context: UserContext | None = None,
        language: str | None = None,
    ) -> Plan:
        """What would be done for `text`, without doing it (DESIGN §6)."""
        body: dict[str, Any] = {"text": text}
        body |= {"now": now.isoformat()} if now else {}
        body |= {"context": context.model_dump(mode="json")} if context else {}
        body |= {"language": language} if language else {}
        return _read(Plan, await self._ask("POST", "/v1/plan", body=body, timeout=_PATIENT))

    def undo(self, session: str) -> AsyncGenerator[Event, None]:
        """Take back the last thing that was done in a session."""
        return self._stream("/v1/undo", {"session": session})

    async def events(self) -> AsyncGenerator[Event, None]:
        """Everything the daemon says, to every surface, until it goes or the iterator is closed."""
        from websockets.asyncio.client import unix_connect
        from websockets.exceptions import ConnectionClosed, WebSocketException

        self._trust()
        try:
            async with unix_connect(
                str(self._socket), "ws://localhost/v1/events", max_size=_LARGEST_EVENT, proxy=None
            ) as socket:
                while True:
                    yield _event(await socket.recv())
        except ConnectionClosed:
            return
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning() from error
        except (OSError, WebSocketException) as error:
            raise ConnectionLost(problem=str(error)) from error

    # --- what waits, what was done ---------------------------------------------------------------------------

    async def approvals(self, *, state: str | None = None) -> list[Approval]:
        """Approvals that wait, newest first; `state` narrows them."""
        found = await self._ask("GET", "/v1/approvals", params={"state": state} if state else None)
        return _items(Approval, found)

    async def approval(self, approval: str) -> Approval:
        """One approval, whatever its state."""
        return _read(Approval, await self._ask("GET", f"/v1/approvals/{approval}"))

    def decide(self, approval: str, *, approve: bool, bound_to: str, proof: str = "") -> AsyncGenerator[Event, None]:
        """Answer an approval that was shown with the hash `bound_to`; the events that follow.

        `proof` is what the person typed besides the yes, where the approval wants it.
        """
        body = {"decision": "approve" if approve else "refuse", "bound_to": bound_to, "surface": "cli"}
        return self._stream(f"/v1/approvals/{approval}", body | ({"proof": proof} if proof else {}))

    async def outbox(self) -> list[Operation]:
        """Outward acts, newest first."""
        return _items(Operation, await self._ask("GET", "/v1/outbox"))

    async def cancel_operation(self, operation: str) -> Receipt:
        """Undo an outward act that is still held."""
        return _read(Receipt, await self._ask("POST", f"/v1/outbox/{operation}/cancel"))

    async def resolve_operation(self, operation: str, *, happened: bool) -> Receipt:
        """Say whether an act of unknown outcome happened."""
        return _read(Receipt, await self._ask("POST", f"/v1/outbox/{operation}/resolve", body={"happened": happened}))

    @property
    def profile(self) -> ProfileDoor:
        """What is known of the user."""
        return ProfileDoor(self._ask)

    async def sessions(self) -> list[dict[str, Any]]:
        """Conversations, newest first."""
        return _dicts(await self._ask("GET", "/v1/sessions"))

    async def session(self, name: str) -> dict[str, Any]:
        """One conversation with its turns."""
        return _dict(await self._ask("GET", f"/v1/sessions/{name}"))

    async def audit(self, *, limit: int = 50, since: datetime | None = None) -> list[dict[str, Any]]:
        """Entries of the audit, newest first."""
        params = {"limit": str(limit)} | ({"since": since.isoformat()} if since else {})
        return _dicts(await self._ask("GET", "/v1/audit", params=params, timeout=_PATIENT))

    async def verify_audit(self) -> dict[str, Any]:
        """Whether the audit's chain is whole."""
        return _dict(await self._ask("GET", "/v1/audit/verify", timeout=_PATIENT))

    async def models(self) -> dict[str, Any]:
        """`{"items": [...], "chosen": ...}`."""
        return _dict(await self._ask("GET", "/v1/models"))

    async def use_model(self, name: str) -> dict[str, Any]:
        """Choose the model from now on."""
        return _dict(await self._ask("POST", "/v1/models/use", body={"name": name}, timeout=_PATIENT))

    async def skills(self) -> list[dict[str, Any]]:
        """Skills and their tools."""
        return _dicts(await self._ask("GET", "/v1/skills"))

    async def survey(self) -> list[dict[str, Any]]:
        """What the skills from elsewhere may do and did."""
        return _dicts(await self._ask("GET", "/v1/skills/audit"))

    # --- the wire --------------------------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        timeout: httpx.Timeout = _QUICK,
    ) -> Any:
        self._trust()
        with _translated():
            sent = (body or {}) if method == "POST" else None  # every POST carries JSON, or it is refused
            response = await self._http.request(method, path, json=sent, params=params, timeout=timeout)
            if response.is_error:
                raise _problem(response)
            return response.json() if response.content else {}

    async def _stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Event, None]:
        self._trust()
        with _translated():
            async with self._http.stream("POST", path, json=body, timeout=_PATIENT) as response:
                if response.is_error:
                    await response.aread()
                    raise _problem(response)
                async with contextlib.aclosing(_lines(response.aiter_bytes())) as lines:
                    async for line in lines:
                        yield _event(line)

    def _trust(self) -> None:
        """Speak only to a socket that lies where nobody else can put one. Raises ConfigError."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            private_folder(self._socket.parent, mode=0o022)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Lines ending in LF alone: httpx' own splitter also breaks at U+2028, which may stand inside JSON."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx.ConnectError as error:
        raise NotRunning() from error
    except httpx.TimeoutException as error:
        raise NoAnswer() from error
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise ConnectionLost(problem=str(error)) from error


def _problem(response: httpx.Response) -> RemoteProblem:
    try:
        told = response.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        told = {}
    status = response.status_code
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else str(status)
    message = str(told.get("detail") or told.get("title") or phrase)
    code = str(told.get("code") or RemoteProblem.default_code)
    return RemoteProblem(code, message, str(told.get("mend") or ""), status=status)


def _event(line: bytes | str) -> Event:
    try:
        return parse_event.validate_json(line)
    except ValidationError as error:
        raise ConnectionLost(problem=f"not an event: {error.errors()[0]['msg']}") from error


def _read(kind: type[Model], found: Any) -> Model:
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise ConnectionLost(problem=f"not a {kind.__name__}: {error.errors()[0]['msg']}") from error


def _items(kind: type[Model], found: Any) -> list[Model]:
    return [_read(kind, item) for item in _dicts(found)]


def _dicts(found: Any) -> list[dict[str, Any]]:
    items = _dict(found).get("items")
    if not isinstance(items, list):
        raise ConnectionLost(problem="a list of items was expected")
    return [_dict(item) for item in items]


def _dict(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ConnectionLost(problem="a JSON object was expected")
    return found


# --- starting the daemon -----------------------------------------------------------------------------------------


async def ensure_running(paths: Paths, *, deadline: float = 60) -> Health:
    """The daemon's health; it is started in the background first where it does not run.

    Raises StartFailed with its own last words if it ends or does not answer within `deadline` seconds. Two callers at
    once start one daemon: the second waits for the first.
    """
    async with Client(paths) as client:
        with contextlib.suppress(NotRunning):
            return await client.health()
        paths.make()
        until = time.monotonic() + deadline
        with (paths.run / "start.lock").open("w") as lock:
            while not launch.take(lock.fileno()):
                if time.monotonic() > until:
                    raise StartFailed("client.start_slow", log=str(paths.logs))
                await asyncio.sleep(0.05)
            with contextlib.suppress(NotRunning):
                return await client.health()
            return await _until_up(client, launch.spawn(paths.logs / "daemon.out"), until)


async def _until_up(client: Client, started: launch.Started, until: float) -> Health:
    pause = 0.02
    ended_at: float | None = None
    while True:
        with contextlib.suppress(NotRunning, NoAnswer, ConnectionLost):
            health = await client.health(timeout=2)
            if health.status != STARTING:  # until then it may still end with a reason
                return health
        now = time.monotonic()
        if started.process.poll() is not None:
            ended_at = ended_at or now
            if now - ended_at > _ANOTHER_S:
                raise StartFailed(reason=started.last_words(), log=str(started.output))
        if now > until:
            raise StartFailed("client.start_slow", log=str(started.output))
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)
