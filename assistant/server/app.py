"""The daemon's HTTP application: a table of endpoints, the event socket, and the OpenAPI document made of the table."""

from __future__ import annotations

import asyncio
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

from assistant.errors import AssistantError
from assistant.events import Event
from assistant.models import Approval, Operation, Plan, Receipt
from assistant.server import endpoints, wire
from assistant.server.openapi import Described, document
from assistant.server.respond import MOST_BYTES, answer, language, parse, problem, problem_response
from assistant.server.services import Services

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Endpoint:
    """One line of the API."""

    method: str
    path: str
    handler: Callable[[Request], Awaitable[Response]]
    body: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    streams: bool = False


ENDPOINTS = (
    Endpoint("GET", "/healthz", endpoints.health),
    Endpoint("POST", "/v1/turns", endpoints.start_turn, wire.TurnBody, streams=True),
    Endpoint("POST", "/v1/turns/{id}/cancel", endpoints.cancel_turn),
    Endpoint("POST", "/v1/plan", endpoints.plan, wire.PlanBody, Plan),
    Endpoint("GET", "/v1/sessions", endpoints.sessions),
    Endpoint("GET", "/v1/sessions/{id}", endpoints.session),
    Endpoint("GET", "/v1/approvals", endpoints.approvals),
    Endpoint("GET", "/v1/approvals/{id}", endpoints.approval, gives=Approval),
    Endpoint("POST", "/v1/approvals/{id}", endpoints.decide, wire.DecisionBody, streams=True),
    Endpoint("POST", "/v1/undo", endpoints.undo, wire.SessionBody, streams=True),
    Endpoint("GET", "/v1/outbox", endpoints.outbox, gives=Operation),
    Endpoint("POST", "/v1/outbox/{id}/cancel", endpoints.cancel_operation, gives=Receipt),
    Endpoint("POST", "/v1/outbox/{id}/resolve", endpoints.resolve_operation, wire.ResolutionBody, Receipt),
    Endpoint("GET", "/v1/audit", endpoints.audit),
    Endpoint("GET", "/v1/audit/verify", endpoints.verify_audit),
    Endpoint("GET", "/v1/models", endpoints.models),
    Endpoint("POST", "/v1/models/use", endpoints.use_model, wire.ModelBody),
    Endpoint("GET", "/v1/skills", endpoints.skills),
    Endpoint("GET", "/v1/skills/audit", endpoints.survey_skills),
)


def make_app(services: Services) -> Starlette:
    """The application on the given parts."""
    routes = [Route(one.path, one.handler, methods=[one.method]) for one in ENDPOINTS]

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
    app.state.services = services
    return app


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
    """Every event to the client; a message `{"v":1,"type":"turn",…}` starts a turn, whose events come the same way."""
    services: Services = socket.app.state.services
    await socket.accept()
    with services.bus.listen() as queue:
        tasks = {asyncio.create_task(_send(socket, queue)), asyncio.create_task(_receive(socket, services))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _send(socket: WebSocket, queue: asyncio.Queue[Event]) -> None:
    while True:
        event = await queue.get()
        await socket.send_text(event.model_dump_json())


async def _receive(socket: WebSocket, services: Services) -> None:
    background: set[asyncio.Task[None]] = set()
    while True:
        try:
            raw = await socket.receive_text()
        except (WebSocketDisconnect, KeyError, RuntimeError):  # gone, or binary
            return
        try:
            sent = parse(raw[:MOST_BYTES], wire.TurnMessage)
        except AssistantError as error:
            message, mend = services.catalogue.explain(error, language(socket, services.language))
            await socket.send_json({"v": 1, "type": "error", "code": error.code, "message": message, "mend": mend})
            continue
        task = asyncio.create_task(_run(services, sent))
        background.add(task)
        task.add_done_callback(background.discard)


async def _run(services: Services, sent: wire.TurnMessage) -> None:
    turn = endpoints.turn_of(sent)
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
