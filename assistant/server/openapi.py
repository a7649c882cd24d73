"""The OpenAPI 3.1 document, made from the endpoints and their pydantic models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from assistant import __version__
from assistant.events import Event

_REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True)
class Described:
    """What the document needs to know of an endpoint."""

    method: str
    path: str
    name: str
    summary: str
    body: type[BaseModel] | None
    gives: type[BaseModel] | None
    streams: bool


def document(endpoints: Sequence[Described]) -> dict[str, Any]:
    """The whole document as plain JSON."""
    models = dict.fromkeys(model for one in endpoints for model in (one.body, one.gives) if model)
    _, definitions = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    event = TypeAdapter(Event).json_schema(ref_template=_REFERENCE)
    schemas = {**definitions.get("$defs", {}), **event.pop("$defs", {}), "Event": event}
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hearth: a personal assistant on your own computer", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(one: Described) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if one.streams:
        success["content"] = {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/Event"}}}
    elif one.gives:
        success["content"] = {"application/json": {"schema": _reference(one.gives)}}
    else:
        success["content"] = {"application/json": {"schema": {"type": "object"}}}
    operation: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary.strip(),
        "responses": {"200": success, "default": {"description": "A problem (RFC 9457)."}},
    }
    if names := re.findall(r"\{(\w+)\}", one.path):
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    if one.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(one.body)}}}
    return operation


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
