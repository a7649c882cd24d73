"""The engine worker: `python -m assistant.engine.worker` owns llama.cpp and answers framed requests on its pipe.

One request is computed at a time; a thread reads the pipe so that a cancel or a ping is seen meanwhile. The process
ends when its input closes: it never outlives the daemon. It knows no queue, no retry, no file but those it is told.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from assistant.clock import SystemClock
from assistant.engine import frames, gguf
from assistant.engine.chat import ChatTemplate
from assistant.engine.profiles import profile
from assistant.errors import AssistantError, EngineError
from assistant.failpoint import failpoint
from assistant.hardening import lock_down
from assistant.sandbox.confine import enter
from assistant.sandbox.reach import Confinement

log = logging.getLogger("assistant.engine.worker")

_PROTOCOL_ERROR = 3

# OpenMP's threads spin between graphs by default and eat the cores that the rest of the machine needs. Passive waiting
# cures that, but barriers inside a graph then cost two thirds of the speed (135M on 2 cores: 35 against 105 tokens/s);
# a short spin before sleeping gives the speed back (111-126 tokens/s) and idles at nothing.
_THREADING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "20000"}


class Pipe:
    """The daemon's end: frames in, frames out, from two threads."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._source, self._target = source, target
        self._writing = threading.Lock()

    def read(self) -> frames.Message | None:
        """The next request; None when the daemon is gone."""
        return frames.read(self._source)

    def send(self, number: int, kind: str, **data: Any) -> None:
        """Answer request `number`. Ends the process where the daemon no longer listens."""
        try:
            with self._writing:
                self._target.write(frames.encode({"id": number, "type": kind, **data}))
                self._target.flush()
        except BrokenPipeError:
            os._exit(0)


class Worker:
    """Loads a model and serves requests on it."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._jobs: queue.SimpleQueue[frames.Message] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._model: Any = None
        self._template: ChatTemplate | None = None
        self._identity = ""
        self._rate = 0.0
        self._operations: dict[str, Callable[[int, frames.Message], dict[str, Any]]] = {
            "load": self._load,
            "complete": self._complete,
            "tokenize": self._tokenize,
            "save": self._save,
            "restore": self._restore,
            "stats": self._stats,
        }

    def serve(self) -> None:
        """Answer until `shutdown`."""
        self._pipe.send(0, "hello", pid=os.getpid())
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            message = self._jobs.get()
            number, operation = message["id"], message.get("op")
            if operation == "shutdown":
                self._pipe.send(number, "result")
                return
            try:
                answer = self._operations[str(operation)](number, message)
            except AssistantError as error:
                self._pipe.send(number, "error", error=type(error).__name__, code=error.code, data=error.data)
            except Exception as error:  # a bad request must not end the worker: the model stays loaded
                log.exception("request %s failed", operation)
                self._refuse(number, "engine.request", repr(error))
            else:
                self._pipe.send(number, "result", **answer)
            self._cancelled.discard(number)

    def _listen(self) -> None:
        try:
            while (message := self._pipe.read()) is not None:
                number = message.get("id")
                if not isinstance(number, int):
                    self._refuse(0, "engine.request", "no id")
                elif message.get("op") == "ping":
                    self._pipe.send(number, "result")
                elif message.get("op") == "cancel":
                    self._cancelled.add(message["target"] if isinstance(message.get("target"), int) else -1)
                else:
                    self._jobs.put(message)
        except frames.FrameError as error:
            log.error("the pipe carries no frames: %s", error)
            self._refuse(0, "engine.frame", str(error))
            os._exit(_PROTOCOL_ERROR)
        os._exit(0)

    def _refuse(self, number: int, code: str, problem: str) -> None:
        self._pipe.send(number, "error", error="EngineError", code=code, data={"problem": problem[:500]})

    def _load(self, _number: int, message: frames.Message) -> dict[str, Any]:
        from assistant.engine.native import Model

        if self._model is not None:
            self._model.close()
            self._model = None
        file = Path(message["path"])
        failpoint("worker.load")
        header = gguf.read(file)
        self._model = Model(
            file,
            context=message["context"],
            threads=message["threads"],
            gpu_layers=message["gpu_layers"],
            profile=profile(message["profile"]),
        )
        self._identity = gguf.fingerprint(file)
        source = header.metadata.get("tokenizer.chat_template")
        self._template = ChatTemplate(
            source if isinstance(source, str) and source.strip() else None,
            bos=self._model.special("bos"),
            eos=self._model.special("eos"),
            controls=self._model.controls(),
            now=SystemClock().now,
        )
        return {"context": self._model.context, "rss": _resident()}

    def _complete(self, number: int, message: frames.Message) -> dict[str, Any]:
        from assistant.engine import generate, native

        model, template = self._loaded()
        schema, gbnf = message.get("json_schema"), message.get("grammar")
        if schema is not None:
            gbnf = native.gbnf(schema)
        prompt = message["prompt"] if "prompt" in message else template.render(message["messages"])
        request = generate.Request(
            prompt=model.tokenize(prompt, prompt=True),
            max_tokens=message.get("max_tokens", 512),
            temperature=message.get("temperature", 0.0),
            seed=message.get("seed", 0),
            stop=message.get("stop", ()),
            logprobs=message.get("logprobs", 0),
            resume=message.get("resume", ()),
            emitted=message.get("emitted", 0),
        )
        grammar = native.Grammar(model, gbnf) if gbnf is not None else None
        answer: dict[str, Any] = {}
        try:
            for piece in generate.complete(
                model,
                request,
                grammar=grammar,
                stopped=lambda: number in self._cancelled,
                progress=lambda done: self._pipe.send(number, "progress", done=done),
            ):
                if piece.finish:
                    answer = {"text": piece.text, "finish": piece.finish, "usage": piece.usage}
                else:
                    self._pipe.send(number, "chunk", text=piece.text, tokens=piece.tokens, logprobs=piece.logprobs)
        finally:
            if grammar is not None:
                grammar.close()
        usage = answer["usage"]
        if usage["output_tokens"] > 1 and usage["decode_s"] > 0:
            self._rate = (usage["output_tokens"] - len(request.resume)) / usage["decode_s"]
        return answer

    def _tokenize(self, _number: int, message: frames.Message) -> dict[str, Any]:
        return {"count": len(self._loaded()[0].tokenize(message["text"]))}

    def _save(self, _number: int, message: frames.Message) -> dict[str, Any]:
        return {"tokens": self._loaded()[0].save(Path(message["path"]), self._identity)}

    def _restore(self, _number: int, message: frames.Message) -> dict[str, Any]:
        return {"tokens": self._loaded()[0].restore(Path(message["path"]), self._identity)}

    def _stats(self, _number: int, _message: frames.Message) -> dict[str, Any]:
        if self._model is None:
            return {"rss": _resident()}
        return {
            "model": self._model.file.stem,
            "context": self._model.context,
            "threads": self._model.threads,
            "profile": self._model.profile.name,
            "cached_tokens": self._model.cached,
            "tokens_per_s": round(self._rate, 2),
            "rss": _resident(),
        }

    def _loaded(self) -> tuple[Any, ChatTemplate]:
        if self._model is None or self._template is None:
            raise EngineError("engine.not_loaded")
        return self._model, self._template


def _resident() -> int:
    import psutil

    rss: int = psutil.Process().memory_info().rss
    return rss


def main() -> None:
    """Give up what a model's file must not reach, take the pipe away from native code, then serve.

    llama.cpp and its libraries may print: file descriptor 1 becomes standard error before any of them is loaded.
    """
    lock_down()
    enter(Confinement.of(sys.argv[1]))
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("ASSISTANT_WORKER_LOG", "DEBUG"),
        format="%(levelname)s %(message)s",
    )
    for name, value in _THREADING.items():
        os.environ.setdefault(name, value)
    Worker(Pipe(source, target)).serve()


if __name__ == "__main__":
    main()
