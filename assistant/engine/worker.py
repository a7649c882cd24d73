"""The engine worker: `python -m assistant.engine.worker` owns llama.cpp and answers framed requests on its pipe.

It knows no queue, no retry, no file but those it is told.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from assistant.clock import SystemClock
from assistant.engine import frames, gguf
from assistant.engine.chat import ChatTemplate
from assistant.engine.profiles import profile
from assistant.engine.serving import Pipe, Server, resident, take_pipe
from assistant.errors import EngineError
from assistant.failpoint import failpoint

# OpenMP's threads spin between graphs by default and eat the cores that the rest of the machine needs. Passive waiting
# cures that, but barriers inside a graph then cost two thirds of the speed (135M on 2 cores: 35 against 105 tokens/s);
# a short spin before sleeping gives the speed back (111-126 tokens/s) and idles at nothing.
_THREADING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "20000"}


class Worker(Server):
    """Loads a model and serves requests on it."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self._model: Any = None
        self._template: ChatTemplate | None = None
        self._identity = ""
        self._rate = 0.0
        self.operations = {
            "load": self._load,
            "complete": self._complete,
            "tokenize": self._tokenize,
            "save": self._save,
            "restore": self._restore,
            "clear": self._clear,
            "stats": self._stats,
        }

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
        return {"context": self._model.context, "rss": resident()}

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
                stopped=lambda: number in self.cancelled,
                progress=lambda done: self.pipe.send(number, "progress", done=done),
            ):
                if piece.finish:
                    answer = {"text": piece.text, "finish": piece.finish, "usage": piece.usage}
                else:
                    self.pipe.send(number, "chunk", text=piece.text, tokens=piece.tokens, logprobs=piece.logprobs)
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

    def _clear(self, _number: int, _message: frames.Message) -> dict[str, Any]:
        if self._model is not None:
            self._model.clear()
        return {}

    def _stats(self, _number: int, _message: frames.Message) -> dict[str, Any]:
        if self._model is None:
            return {"rss": resident()}
        return {
            "model": self._model.file.stem,
            "context": self._model.context,
            "threads": self._model.threads,
            "profile": self._model.profile.name,
            "cached_tokens": self._model.cached,
            "tokens_per_s": round(self._rate, 2),
            "rss": resident(),
        }

    def _loaded(self) -> tuple[Any, ChatTemplate]:
        if self._model is None or self._template is None:
            raise EngineError("engine.not_loaded")
        return self._model, self._template


def main() -> None:
    """Confine this process, then serve."""
    pipe = take_pipe()
    for name, value in _THREADING.items():
        os.environ.setdefault(name, value)
    Worker(pipe).serve()


if __name__ == "__main__":
    main()
