"""Bytes of tokens to text that may be shown: characters whole, a beginning stop string held back until it is none."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class StreamedText:
    """Fed with bytes, gives text. `stopped` turns true with the first stop string, which is never shown."""

    def __init__(self, stop: Sequence[str] = (), *, emitted: int = 0) -> None:
        """`emitted` characters at the beginning are known to the caller and not given again."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = [word for word in stop if word]
        self._skip = emitted
        self._held = ""
        self.stopped = False

    def add(self, data: bytes) -> str:
        """The text that may be shown now."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data)
        ends = [self._held.find(word) for word in self._stop if word in self._held]
        if ends:
            self.stopped = True
            return self._show(min(ends))
        keep = max((_overlap(self._held, word) for word in self._stop), default=0)
        return self._show(len(self._held) - keep)

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        self._held += self._decoder.decode(b"", final=True)
        return "" if self.stopped else self._show(len(self._held))

    def _show(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        known = min(self._skip, len(text))
        self._skip -= known
        return text[known:]


def _overlap(text: str, word: str) -> int:
    """Length of the longest end of `text` that is a beginning, not the whole, of `word`."""
    for size in range(min(len(word) - 1, len(text)), 0, -1):
        if text.endswith(word[:size]):
            return size
    return 0
