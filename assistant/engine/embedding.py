"""The embedding worker: `python -m assistant.engine.embedding` reads sentences into vectors and searches files of them.

It owns the native libraries for that; knows no queue, no retry, no file but those it is told.
"""

from __future__ import annotations

import base64
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.engine import frames
from assistant.engine.serving import Pipe, Server, resident, take_pipe
from assistant.errors import EngineError, ModelRefused
from assistant.failpoint import failpoint
from assistant.vectors import LEGS

if TYPE_CHECKING:
    from assistant.engine.encoders import Encoder
    from assistant.engine.similarity import Floats, Records

_FILES = 4


class Worker(Server):
    """Loads sentence models and serves requests on them."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe)
        self._encoders: dict[str, Encoder] = {}
        self._query = ""
        self._query_vectors: list[Floats | None] = [None for _ in LEGS]
        self._records: dict[Path, Records] = {}
        self.operations = {
            "load": self._load,
            "embed": self._embed,
            "nearest": self._nearest,
            "stats": self._stats,
        }

    def _load(self, _number: int, message: frames.Message) -> dict[str, Any]:
        """Load one model. Where it can't be, say why: the others go on."""
        from assistant.engine import encoders

        name, folder = str(message["name"]), Path(message["folder"])
        failpoint(f"embedding.load.{name}")
        try:
            files = {path: folder / path for path in message["files"]}
            self._encoders[name] = encoders.load(name, files, message["code"])
        except (ModelRefused, OSError, AttributeError) as error:
            return {"problem": str(error)[:500] or repr(error)}
        return {"problem": ""}

    def _embed(self, _number: int, message: frames.Message) -> dict[str, Any]:
        from assistant.engine import similarity

        failpoint("embedding.embed")
        records = [similarity.record(self._vectors(text, query=False)) for text in message["texts"]]
        return {"records": base64.b64encode(b"".join(records)).decode()}

    def _nearest(self, _number: int, message: frames.Message) -> dict[str, Any]:
        from assistant.engine import similarity

        file = Path(message["file"])
        records = self._records.pop(file, None) or similarity.Records(file)
        self._records[file] = records
        if len(self._records) > _FILES:
            del self._records[next(iter(self._records))]
        try:
            among = array("I", base64.b64decode(message["among"]))
            found = records.nearest(self._asked(message["query"]), limit=message["limit"], among=among)
        except OSError as error:
            raise EngineError("engine.disk_read", problem=error.strerror or str(error)) from error
        return {"legs": [{"name": name, **_told(leg)} for name, leg in zip(LEGS, found, strict=True)]}

    def _asked(self, query: str) -> list[Floats | None]:
        """The question's vectors; those of the last one are kept, since it is asked of several files."""
        if query != self._query:
            self._query, self._query_vectors = query, self._vectors(query, query=True)
        return self._query_vectors

    def _vectors(self, text: str, *, query: bool) -> list[Floats | None]:
        return [self._encoders[name](text, query=query) if name in self._encoders else None for name in LEGS]

    def _stats(self, _number: int, _message: frames.Message) -> dict[str, Any]:
        return {"models": list(self._encoders), "rss": resident()}


def _told(leg: dict[str, Any]) -> dict[str, Any]:
    """With the scores of the slots that were asked about as bytes: there may be thousands."""
    return {**leg, "among": base64.b64encode(leg["among"].tobytes()).decode()} if leg["count"] else leg


def main() -> None:
    """Confine this process, then serve."""
    Worker(take_pipe()).serve()


if __name__ == "__main__":
    main()
