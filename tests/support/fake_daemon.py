"""A tiny server that speaks the daemon's published API on a Unix socket, with canned answers, to test its clients."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from assistant import events
from assistant.models import Action, Approval, Label, Notice, Operation, Origin, Prepared, PreviewField, Receipt
from assistant.resources import bundled

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def approval(**changes: Any) -> Approval:
    """A reply that waits for its yes; its text was written by somebody else."""
    action = Action(
        id="op-1",
        tool="email.reply",
        effect="outward",
        args={"message_id": "m1", "body": "Friday works.\x1b[2J"},
        origins={
            "message_id": Origin(label=Label.TOOL, source="email.search"),
            "body": Origin(label=Label.UNTRUSTED, source="email m1 from spam@example.com"),
        },
        sensitive=("message_id", "body"),
    )
    prepared = Prepared(
        title="Reply to Anna Schmidt",
        fields=(
            PreviewField(
                name="To", value="anna@example.org", origin=Origin(label=Label.CONTACT, source="Anna Schmidt")
            ),
        ),
        body="Friday works.\x1b[2J",
        payload={"to": "anna@example.org"},
    )
    given: dict[str, Any] = {
        "id": "ap-1234",
        "action": action,
        "prepared": prepared,
        "bound_to": "hash-1",
        "reason": "It leaves your computer.",
        "session": "default",
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=15),
    }
    return Approval(**(given | changes))


def receipt(outcome: Any = "queued", summary: str = "The reply leaves at 10:00:10.") -> Receipt:
    return Receipt(
        operation="op-1",
        tool="email.reply",
        outcome=outcome,
        summary=summary,
        at=NOW,
        undo_until=NOW + timedelta(seconds=10) if outcome == "queued" else None,
    )


def operation(state: str = "APPROVED") -> Operation:
    return Operation(
        id="op-1",
        tool="email.reply",
        prepared=approval().prepared,
        state=state,
        created_at=NOW,
        release_at=NOW + timedelta(seconds=10),
    )


def problem(status: int, code: str, detail: str, mend: str = "") -> Response:
    told = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, "mend": mend}
    return JSONResponse(told, status, media_type="application/problem+json")


class FakeDaemon:
    """The application and what it was told."""

    def __init__(self) -> None:
        self.turns: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.plans: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.languages: list[str] = []
        self.pending = [approval()]
        self.notice = events.Noticed(notice=Notice(id="n1", title="Call the clinic", at=NOW))
        self.skills: list[dict[str, Any]] = [
            {
                "name": "email",
                "version": "0.1.0",
                "enabled": True,
                "source": "bundled",
                "folder": str(bundled("skills") / "email"),
                "description": "Reads mail.",
                "tools": [{"name": "email.search", "effect": "read", "description": "Find mails."}],
                "contained": "",
            },
            {"name": "mine", "version": "1", "enabled": False, "source": "user", "description": "x", "tools": []},
        ]

    def app(self) -> Starlette:
        routes = [
            Route("/healthz", self.health),
            Route("/v1/turns", self.turn, methods=["POST"]),
            Route("/v1/turns/{id}/cancel", self.cancel_turn, methods=["POST"]),
            Route("/v1/plan", self.plan, methods=["POST"]),
            Route("/v1/approvals", self.approvals),
            Route("/v1/approvals/{id}", self.one_approval, methods=["GET"]),
            Route("/v1/approvals/{id}", self.decide, methods=["POST"]),
            Route("/v1/outbox", self.outbox),
            Route("/v1/outbox/{id}/cancel", self.cancel_operation, methods=["POST"]),
            Route("/v1/outbox/{id}/resolve", self.resolve, methods=["POST"]),
            Route("/v1/undo", self.undo, methods=["POST"]),
            Route("/v1/audit", self.audit),
            Route("/v1/audit/verify", self.verify),
            Route("/v1/models/use", self.use_model, methods=["POST"]),
            Route("/v1/skills", self.list_skills),
            Route("/v1/sessions", self.sessions),
            WebSocketRoute("/v1/events", self.events),
        ]
        return Starlette(routes=routes)

    async def health(self, request: Request) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "version": "0.1.0",
                "pid": 4242,
                "uptime_s": 90.0,
                "model": {"model": "smollm2"},
                "skills": {"loaded": ["email"], "problems": [{"name": "mine", "problem": "It has no code."}]},
                "later": "an added field",
            }
        )

    async def turn(self, request: Request) -> Response:
        sent = await request.json()
        self.turns.append(sent)
        self.languages.append(request.headers["accept-language"])
        text = sent["text"]
        if text == "refuse":
            return problem(422, "server.bad_field", "Das geht nicht.", "Anders versuchen.")
        if text == "html":
            return Response("<h1>Bad gateway</h1>", 502)
        return StreamingResponse(self.lines(text, sent.get("session", "")), media_type="application/x-ndjson")

    async def lines(self, text: str, session: str) -> AsyncIterator[bytes]:
        for event in self.said(text, session):
            raw = event.model_dump_json().encode() + b"\n"
            middle = len(raw) // 2
            yield raw[:middle]  # events need not come whole
            yield raw[middle:]
        if text == "garbage":
            yield b"this is no event\n"
        if text == "die":
            raise ConnectionError("killed in the middle")

    def said(self, text: str, session: str) -> list[Any]:
        common: dict[str, Any] = {"turn": "t1", "session": session}
        started = [
            events.TurnStarted(text=text, **common),
            events.ToolStarted(tool="email.search", args={"sender": "Anna"}, via="intent", **common),
            events.ToolFinished(tool="email.search", ok=True, **common),
        ]
        done = events.TurnDone(ms=5, at=NOW, **common)
        match text:
            case "approve me":
                reply = events.Reply(text="It waits for your yes.", via="model", **common)
                return [*started, events.ApprovalWanted(approval=self.pending[0], **common), reply, done]
            case "fail":
                failed = events.Failed(code="engine.failed", message="The model failed.", mend="Try again.", **common)
                return [*started, failed, done]
            case "ask back":
                question = events.Question(text="Which Anna?", choices=("Anna Schmidt", "Anna Li"), **common)
                return [*started, question, done]
            case "die" | "garbage":
                return started
            case "corrected":
                return [
                    events.Token(text="Sent!", **common),
                    events.Reply(text="Nothing was sent.", via="model", **common),
                ]
            case _:
                said = f"You said {text}\u2028\x1b[31m"
                tokens = [events.Token(text=piece, **common) for piece in (said[:4], said[4:])]
                return [*started, *tokens, events.Reply(text=said, via="model", **common), done]

    async def cancel_turn(self, request: Request) -> Response:
        self.cancelled.append(request.path_params["id"])
        return JSONResponse({})

    async def plan(self, request: Request) -> Response:
        self.plans.append(await request.json())
        call = {"tool": "reminders.add", "args": {"text": "call", "when": "2026-11-24T09:00:00"}}
        return JSONResponse({"kind": "call", "calls": [call], "missing": [], "reply": "", "via": "intent", "ms": 3})

    async def approvals(self, request: Request) -> Response:
        return JSONResponse({"items": [found.model_dump(mode="json") for found in self.pending]})

    async def one_approval(self, request: Request) -> Response:
        if request.path_params["id"] == "ap-old":
            return JSONResponse(approval(id="ap-old", state="used").model_dump(mode="json"))
        return problem(404, "approval.unknown", "There is no such approval.")

    async def decide(self, request: Request) -> Response:
        sent = await request.json()
        self.decisions.append({"id": request.path_params["id"], **sent})
        if sent["bound_to"] == "hash-old":
            return problem(409, "approval.expired", "The approval has expired.", "Ask again.")
        self.pending = []
        if sent["decision"] == "refuse":
            told: list[Any] = [events.Reply(text="Nothing was sent.", via="intent")]
        else:
            told = [events.ReceiptIssued(receipt=receipt()), events.Reply(text="Done.", via="intent")]
        told.append(events.TurnDone(ms=1, at=NOW))
        return StreamingResponse((event.model_dump_json() + "\n" for event in told), media_type="application/x-ndjson")

    async def outbox(self, request: Request) -> Response:
        return JSONResponse({"items": [operation().model_dump(mode="json")]})

    async def cancel_operation(self, request: Request) -> Response:
        if request.path_params["id"] != "op-1":
            return problem(404, "outbox.unknown", "There is nothing like that in the outbox.")
        return JSONResponse(receipt("cancelled", "The reply is undone.").model_dump(mode="json"))

    async def resolve(self, request: Request) -> Response:
        happened = (await request.json())["happened"]
        summary = "It was sent." if happened else "It is sent again."
        return JSONResponse(receipt("done" if happened else "queued", summary).model_dump(mode="json"))

    async def undo(self, request: Request) -> Response:
        sent = await request.json()
        event = events.Reply(text=f"Undone in {sent['session']}.", via="intent")
        return Response(event.model_dump_json() + "\n", media_type="application/x-ndjson")

    async def audit(self, request: Request) -> Response:
        entry = {"n": 1, "at": NOW.isoformat(), "kind": "action", "data": {"tool": "email.search"}, "hash": "00"}
        return JSONResponse({"items": [entry]})

    async def verify(self, request: Request) -> Response:
        return JSONResponse({"ok": True, "entries": 1, "first_bad": None, "problem": ""})

    async def use_model(self, request: Request) -> Response:
        name = (await request.json())["name"]
        return JSONResponse({"chosen": name})

    async def list_skills(self, request: Request) -> Response:
        return JSONResponse({"items": self.skills})

    async def sessions(self, request: Request) -> Response:
        return JSONResponse({"items": [{"name": "default", "turns": 2}]})

    async def events(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(self.notice.model_dump_json())
        await socket.close()


@contextmanager
def serving(fake: FakeDaemon, socket: Path) -> Iterator[None]:
    """Serve in a thread until the block ends."""
    socket.parent.mkdir(parents=True, exist_ok=True)
    server = uvicorn.Server(
        uvicorn.Config(fake.app(), uds=str(socket), log_config=None, lifespan="off", ws="websockets-sansio")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        socket.unlink(missing_ok=True)


def lines(text: str) -> list[Any]:
    """The JSON objects of an output, a line each."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]
