"""The daemon's HTTP application: a table of endpoints, the event socket, and the OpenAPI document made of the table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from assistant.errors import AssistantError, PolicyDenied
from assistant.events import Event
from assistant.knowledge import ProfileStats, Taken
from assistant.models import Approval, Operation, Plan, Receipt, Turn
from assistant.server import endpoints, profile_endpoints, wire
from assistant.server.callers import Caller, caller
from assistant.server.guard import SUBPROTOCOL
from assistant.server.openapi import Described, document
from assistant.server.respond import answer, language, parse, problem, problem_response
from assistant.server.services import Services

_log = logging.getLogger(__name__)
_GONE, _NO_TEXT, _BROKEN, _TOO_SLOW = 1000, 1003, 1011, 1013
"""Codes that a socket is closed with (RFC 6455 and its registry)."""


@dataclass(frozen=True)
class Endpoint:
    """One line of the API."""

    method: str
    path: str
    handler: Callable[[Request], Awaitable[Response]]
    body: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    streams: bool = False
    programs: bool = False
    """Whether a program's credential may ask for it too; what it gets is its own."""


ENDPOINTS = (
    Endpoint("GET", "/healthz", endpoints.health, programs=True),
    Endpoint("POST", "/v1/turns", endpoints.start_turn, wire.TurnBody, streams=True, programs=True),
    Endpoint("POST", "/v1/turns/{id}/cancel", endpoints.cancel_turn, programs=True),
    Endpoint("POST", "/v1/plan", endpoints.plan, wire.PlanBody, Plan, programs=True),
    Endpoint("GET", "/v1/sessions", endpoints.sessions, programs=True),
    Endpoint("GET", "/v1/sessions/{id}", endpoints.session, programs=True),
    Endpoint("GET", "/v1/approvals", endpoints.approvals),
    Endpoint("GET", "/v1/approvals/{id}", endpoints.approval, gives=Approval),
    Endpoint("POST", "/v1/approvals/{id}", endpoints.decide, wire.DecisionBody, streams=True),
    Endpoint("POST", "/v1/undo", endpoints.undo, wire.SessionBody, streams=True),
    Endpoint("GET", "/v1/outbox", endpoints.outbox, gives=Operation),
    Endpoint("POST", "/v1/outbox/{id}/cancel", endpoints.cancel_operation, gives=Receipt),
    Endpoint("POST", "/v1/outbox/{id}/resolve", endpoints.resolve_operation, wire.ResolutionBody, Receipt),
    Endpoint("GET", "/v1/profile/facts", profile_endpoints.facts),
    Endpoint("GET", "/v1/profile/facts/{id}", profile_endpoints.why),
    Endpoint("POST", "/v1/profile/facts/{id}/forget", profile_endpoints.forget),
    Endpoint("POST", "/v1/profile/facts/{id}/pin", profile_endpoints.pin, wire.PinBody),
    Endpoint("POST", "/v1/profile/facts/{id}/edit", profile_endpoints.edit, wire.EditBody),
    Endpoint("GET", "/v1/profile/stats", profile_endpoints.stats, gives=ProfileStats),
    Endpoint("GET", "/v1/profile/export", profile_endpoints.exported),
    Endpoint("POST", "/v1/profile/export", profile_endpoints.export, wire.ExportBody),
    Endpoint("POST", "/v1/profile/import", profile_endpoints.take, wire.ImportBody, Taken),
    Endpoint("POST", "/v1/profile/pause", profile_endpoints.pause, wire.PauseBody, ProfileStats),
    Endpoint("POST", "/v1/profile/resume", profile_endpoints.resume, gives=ProfileStats),
    Endpoint("POST", "/v1/profile/never", profile_endpoints.never, wire.TopicBody, ProfileStats),
    Endpoint("GET", "/v1/profile/changes", profile_endpoints.changes),
    Endpoint("GET", "/v1/profile/habits", profile_endpoints.habits),
    Endpoint("POST", "/v1/profile/habits/{id}/forget", profile_endpoints.forget_habit),
    Endpoint("POST", "/v1/profile/tidy", profile_endpoints.tidy),
    Endpoint("POST", "/v1/profile/undo", profile_endpoints.undo, wire.UndoneBody),
    Endpoint("GET", "/v1/audit", endpoints.audit),
    Endpoint("GET", "/v1/audit/verify", endpoints.verify_audit),
    Endpoint("GET", "/v1/models", endpoints.models),
    Endpoint("POST", "/v1/models/use", endpoints.use_model, wire.ModelBody),
    Endpoint("GET", "/v1/skills", endpoints.skills),
    Endpoint("GET", "/v1/skills/audit", endpoints.survey_skills),
)


def make_app(services: Services) -> Starlette:
    """The application on the given parts."""
    routes = [Route(one.path, _allowed(one), methods=[one.method]) for one in ENDPOINTS]

    async def openapi(request: Request) -> Response:
        return answer(openapi_document())

    app = Starlette(
        routes=[*routes, Route("/openapi.json", openapi), WebSocketRoute("/v1/events", events)],
        exception_handlers={
            AssistantError: _told,
            HTTPException: _refused,
            Exception: _broke,
        },
    )
    app.router.redirect_slashes = False  # one address for each thing, and no Location made of what a client sent
    app.state.services = services
    return app


def _allowed(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint's handler, for those whose credential reaches so far."""

    async def handle(request: Request) -> Response:
        if not endpoint.programs and not caller(request).is_person:
            raise PolicyDenied("server.scope")
        return await endpoint.handler(request)

    return handle


def openapi_document() -> dict[str, object]:
    """The OpenAPI 3.1 document of `ENDPOINTS`."""
    described = [
        Described(
            one.method, one.path, one.handler.__name__, one.handler.__doc__ or "", one.body, one.gives, one.streams
        )
        for one in ENDPOINTS
    ]
    return document(described)


async def events(socket: WebSocket) -> None:
    """Every event to the client; a message `{"v":1,"type":"turn",…}` starts a turn, whose events come the same way.

    A program hears of its own conversations alone. Whoever sends what is no text, or reads too slowly, is told so by
    the code that the socket is closed with.
    """
    services: Services = socket.app.state.services
    who = caller(socket)
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
    with services.bus.listen() as queue:
        tasks = {asyncio.create_task(_send(socket, queue, who)), asyncio.create_task(_receive(socket, services, who))}
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        codes = [task.result() for task in ended if not task.exception()]
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone meanwhile
            await socket.close(next(filter(None, codes), _BROKEN))


async def _send(socket: WebSocket, queue: asyncio.Queue[Event | None], who: Caller) -> int:
    """Until the client has missed something; gives the code that tells it so."""
    while (event := await queue.get()) is not None:
        if who.owns(event.session):
            await socket.send_text(event.model_dump_json())
    return _TOO_SLOW


async def _receive(socket: WebSocket, services: Services, who: Caller) -> int:
    """Until the client goes or sends what is no text; gives the code to close with."""
    background: set[asyncio.Task[None]] = set()
    while True:
        got = await socket.receive()
        if got["type"] == "websocket.disconnect":
            return _GONE
        raw = got.get("text")
        if raw is None:
            return _NO_TEXT
        try:
            turn = endpoints.turn_of(parse(raw, wire.TurnMessage), who)
        except AssistantError as error:
            message, mend = services.catalogue.explain(error, language(socket, services.language))
            await socket.send_json({"v": 1, "type": "error", "code": error.code, "message": message, "mend": mend})
            continue
        task = asyncio.create_task(_run(services, turn))
        background.add(task)
        task.add_done_callback(background.discard)


async def _run(services: Services, turn: Turn) -> None:
    async for _ in services.running.run(turn, services.conversation.turn(turn)):
        pass


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, AssistantError)
    services: Services = request.app.state.services
    return problem(error, services.catalogue, language(request, services.language))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    services: Services = request.app.state.services
    tongue = language(request, services.language)
    key = "server.no_method" if error.status_code == 405 else "server.no_path"
    message, mend = services.catalogue.explain(AssistantError(key, path=request.url.path), tongue)
    return problem_response(error.status_code, key, message, mend)


async def _broke(request: Request, error: Exception) -> Response:
    _log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    services: Services = request.app.state.services
    message, mend = services.catalogue.explain(AssistantError("internal"), language(request, services.language))
    return problem_response(500, "internal", message, mend)
