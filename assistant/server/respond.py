"""Requests read and answers written the same way everywhere: JSON in, JSON, NDJSON or problem+json out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from assistant.errors import ApprovalExpired, AskAgain, AssistantError, Conflict, NotFound, PolicyDenied, Rejected

if TYPE_CHECKING:  # the door is open before they are loaded
    from pydantic import BaseModel

    from assistant.events import Event
    from assistant.locale import Catalogue

Body = TypeVar("Body", bound="BaseModel")

_STATUS: tuple[tuple[type[AssistantError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (ApprovalExpired, 409),
    (PolicyDenied, 403),
    (Rejected, 422),
    (AskAgain, 422),
)


async def body(request: Request, form: type[Body]) -> Body:
    """The request's JSON as `form`. Raises Rejected with what is wrong and where."""
    return parse(await request.body(), form)


def parse(raw: bytes | str, form: type[Body]) -> Body:
    """JSON text as `form`. Raises Rejected."""
    from pydantic import ValidationError

    try:
        return form.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(body)"
        raise Rejected("server.bad_field", where=where, problem=first["msg"]) from error


def language(connection: HTTPConnection, fallback: str) -> str:
    """The language that the client wants to be told in."""
    wanted = connection.headers.get("accept-language", "").lower()
    return "zh" if wanted.startswith("zh") else "en" if wanted.startswith("en") else fallback


def problem(error: AssistantError, catalogue: Catalogue, tongue: str) -> Response:
    """RFC 9457 problem details."""
    message, mend = catalogue.explain(error, tongue)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
    return problem_response(status, error.code, message, mend)


def problem_response(status: int, code: str, message: str, mend: str = "") -> Response:
    """Problem details from their parts."""
    content = {
        "type": f"about:blank#{code}",
        "title": code,
        "status": status,
        "detail": message,
        "code": code,
        "mend": mend,
    }
    return JSONResponse(content, status, media_type="application/problem+json")


def answer(data: Any) -> Response:
    """Plain JSON."""
    return Response(json.dumps(data, ensure_ascii=False), media_type="application/json")


def stream(events: AsyncIterator[Event]) -> Response:
    """Events, one JSON object a line."""

    async def lines() -> AsyncIterator[str]:
        async for event in events:
            yield event.model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")
