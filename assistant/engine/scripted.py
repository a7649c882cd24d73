"""A language model that says what it is told to: the deterministic adapter for benches, demonstrations and tests."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from assistant.models import Chunk, Completion, Usage


class ScriptedModel:
    """Answers with given replies in turn, or with what a function makes of the request. Keeps the requests it got."""

    def __init__(self, replies: Sequence[str] | Callable[[Completion], str], *, keep: int | None = None) -> None:
        """A list is used up in order; asking for more than it has raises IndexError. `keep`: only the last requests."""
        self._replies = replies
        self._asked = 0
        self.requests: deque[Completion] = deque(maxlen=keep)

    @property
    def ready(self) -> bool:
        """Always."""
        return True

    async def complete(self, request: Completion) -> AsyncIterator[Chunk]:
        """The next reply, word by word; `stop` and `max_tokens` (a word is a token) are kept to."""
        number, self._asked = self._asked, self._asked + 1
        self.requests.append(request)
        reply = self._replies(request) if callable(self._replies) else self._replies[number]
        ends = [reply.find(word) for word in request.stop if word and word in reply]
        words = re.findall(r"\S+\s*|\s+", reply[: min(ends)] if ends else reply)
        said = words[: request.max_tokens]
        for word in said:
            yield Chunk(text=word)
        prompt = sum(math.ceil(len(message.content) / 4) for message in request.messages)
        usage = Usage(prompt_tokens=prompt, output_tokens=len(said))
        yield Chunk(finish="length" if len(words) > len(said) else "stop", usage=usage)

    async def tokenize(self, text: str) -> int:
        """A token per four characters."""
        return math.ceil(len(text) / 4)
