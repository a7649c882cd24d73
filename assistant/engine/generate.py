"""One completion, token by token: choosing tokens, and going on where a dead worker left off.

Runs in the worker; knows the model's computing interface (`native`) and no frames.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from assistant.engine.native import Grammar, Model, Stopped
from assistant.engine.stream import StreamedText

_NEAR = 64
"""Sampling looks at the likeliest tokens only; a grammar is tried on them before the whole vocabulary."""
_FARTHER = 16
"""The next step before the whole vocabulary, whose check takes as long as a token (40 to 130 ms for 152,000)."""
_TOP_P = 0.95
_ALTERNATIVES = 5


@dataclass(frozen=True)
class Request:
    """A completion in tokens. `resume` are tokens already written by a worker that died, `emitted` the characters
    of their text that the caller has."""

    prompt: Sequence[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: Sequence[str] = ()
    logprobs: int = 0
    resume: Sequence[int] = ()
    emitted: int = 0


@dataclass
class Piece:
    """What one step gave: text that may be shown, the tokens behind it, and at the end why it ended."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: dict[str, float] | None = None


class Chooser:
    """Picks the next token: the likeliest at temperature 0, otherwise one of the top 64 within 95 %."""

    def __init__(self, *, temperature: float, seed: int, grammar: Grammar | None) -> None:
        self._temperature = temperature
        self._random = numpy.random.default_rng(seed & 0xFFFFFFFF)
        self._grammar = grammar

    def pick(self, logits: numpy.ndarray[Any, Any]) -> int:
        """The token; with a grammar always one that it allows."""
        if self._temperature <= 0:
            best = int(logits.argmax())
            if self._grammar is None or self._grammar.allowed(numpy.array([best]))[0]:
                return best
        tokens = self._candidates(logits)
        if self._temperature <= 0:
            return int(tokens[logits[tokens].argmax()])
        return self._sample(tokens, logits[tokens])

    def _candidates(self, logits: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
        near: numpy.ndarray[Any, Any] = numpy.empty(0, dtype=numpy.int64)
        for count in (_NEAR, _NEAR * _FARTHER, len(logits)):
            count = min(count, len(logits))
            near = numpy.argpartition(logits, -count)[-count:]
            if self._grammar is None:
                break
            mask = self._grammar.allowed(near)
            if mask.any():
                allowed: numpy.ndarray[Any, Any] = near[mask]
                return allowed
        return near

    def _sample(self, tokens: numpy.ndarray[Any, Any], logits: numpy.ndarray[Any, Any]) -> int:
        order = logits.argsort()[::-1]
        chances = numpy.exp((logits[order].astype(numpy.float64) - logits[order[0]]) / self._temperature)
        chances /= chances.sum()
        enough = int(numpy.searchsorted(chances.cumsum(), _TOP_P)) + 1
        chances = chances[:enough] / chances[:enough].sum()
        return int(tokens[order[:enough][self._random.choice(len(chances), p=chances)]])


class _Ahead:
    """The next token: one that the grammar leaves no choice about, else the model's. What was foreseen is computed in
    one batch with what follows, which is several times quicker than token by token."""

    def __init__(self, model: Model, request: Request, grammar: Grammar | None) -> None:
        self._model = model
        self._grammar = grammar
        self._logprobs = request.logprobs
        self._chooser = Chooser(
            temperature=request.temperature, seed=request.seed + len(request.resume), grammar=grammar
        )
        self._foreseen: list[int] = []
        self._pending: list[int] = []

    @property
    def full(self) -> bool:
        """Whether the context has no room for a further token."""
        return self._model.cached + len(self._pending) >= self._model.context

    def next(self, written: int) -> Piece:
        """The token, with its log-probabilities where they are wanted."""
        if self._grammar is not None and not self._foreseen and written >= self._logprobs:
            self._foreseen = _foreseen(self._model, self._grammar)
        if self._foreseen:
            return Piece(tokens=[self._foreseen.pop(0)])
        if self._pending:
            self._model.advance(self._pending)
            self._pending = []
        logits = self._model.logits()
        piece = Piece(tokens=[self._chooser.pick(logits)])
        if written < self._logprobs:
            piece.logprobs.append(_probability(self._model, logits, piece.tokens[0]))
        return piece

    def wrote(self, token: int) -> None:
        """Go on after a token."""
        if self._grammar is not None:
            self._grammar.accept(token)
        self._pending.append(token)


def complete(
    model: Model,
    request: Request,
    *,
    grammar: Grammar | None,
    stopped: Callable[[], bool],
    progress: Callable[[int], None],
) -> Iterator[Piece]:
    """Write the completion. The last piece has `finish` (`stop`, `length` or `cancelled`) and `usage`."""
    ahead = _Ahead(model, request, grammar)
    text = StreamedText(request.stop, emitted=request.emitted)
    written = list(request.resume)
    again = "".join(_replay(model, text, grammar, written))
    began = time.monotonic()
    prefilled = began
    cached, finish = 0, "stop" if text.stopped else ""
    try:
        if not finish:
            cached = model.read([*request.prompt, *written], stopped=stopped, progress=progress)
        prefilled = time.monotonic()
        if again:
            yield Piece(text=again)
        while not finish:
            if stopped():
                raise Stopped
            if len(written) >= request.max_tokens or ahead.full:
                finish = "length"
                break
            piece = ahead.next(len(written))
            [token] = piece.tokens
            if model.ends(token):
                finish = "stop"
                break
            written.append(token)
            ahead.wrote(token)
            piece.text = text.add(model.piece(token))
            yield piece
            if text.stopped:
                finish = "stop"
    except Stopped:
        finish = "cancelled"
    yield Piece(text=text.rest(), finish=finish, usage=_usage(request, written, cached, began, prefilled))


def _foreseen(model: Model, grammar: Grammar) -> list[int]:
    """The tokens of what must come next, as the model's own tokenizer cuts it; the last may go on, so it is left."""
    text = grammar.forced()
    try:
        tokens = model.tokenize(text.decode("utf-8"))
    except UnicodeDecodeError:
        return []
    return tokens[:-1] if b"".join(map(model.piece, tokens)) == text else []


def _replay(model: Model, text: StreamedText, grammar: Grammar | None, written: Sequence[int]) -> Iterator[str]:
    for token in written:
        if grammar is not None:
            grammar.accept(token)
        yield text.add(model.piece(token))


def _usage(request: Request, written: Sequence[int], cached: int, began: float, prefilled: float) -> dict[str, float]:
    return {
        "prompt_tokens": len(request.prompt),
        "cached_tokens": min(cached, len(request.prompt)),
        "output_tokens": len(written),
        "prefill_s": round(prefilled - began, 6),
        "decode_s": round(time.monotonic() - prefilled, 6),
    }


def _probability(model: Model, logits: numpy.ndarray[Any, Any], token: int) -> dict[str, Any]:
    """The model's own log-probabilities, before temperature and grammar."""
    values = logits.astype(numpy.float64)
    peak = values.max()
    total = peak + numpy.log(numpy.exp(values - peak).sum())
    best = numpy.argpartition(values, -_ALTERNATIVES)[-_ALTERNATIVES:]
    best = best[values[best].argsort()[::-1]]
    return {
        "token": _shown(model, token),
        "logprob": float(values[token] - total),
        "top": {_shown(model, int(other)): float(values[other] - total) for other in best},
    }


def _shown(model: Model, token: int) -> str:
    return model.piece(token).decode("utf-8", "replace") or model.text_of(token)
