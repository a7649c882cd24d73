"""llama.cpp through its low-level interface: one model, one context, one sequence. The only module that loads it.

Runs in the worker process alone (a crash here is a crash of the process); knows nothing of frames, queues or chats.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
import struct
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as _bindings
import numpy
from llama_cpp.llama_grammar import json_schema_to_gbnf

from assistant.engine.profiles import Profile
from assistant.errors import ContextOverflow, EngineError, ModelRefused

lib: Any = _bindings
log = logging.getLogger("assistant.engine.native")

_SEQUENCE = 0
_STATE_MAGIC = b"ASTATE1\n"
_WORTH = 256
"""Tokens from which it is cheaper to copy a cache than to compute it again."""
_MOST_ASIDE = 2048
"""Tokens of a cache that is put aside: 60 MB with a 1.5B model, 260 MB with a 7B one that shares its heads."""
_BATCH_S = 0.4
"""A batch of prompt tokens should take about so long: a cancel is seen between batches."""
_LEVELS = {2: logging.WARNING, 3: logging.ERROR}


@_bindings.llama_log_callback  # type: ignore[untyped-decorator]
def _on_log(level: int, text: bytes, _data: Any) -> None:
    line = text.decode("utf-8", "replace").rstrip()
    if line.strip("."):
        log.debug("%s%s", "! " if level in _LEVELS else "", line)


lib.llama_log_set(_on_log, ctypes.c_void_p(0))


class Stopped(Exception):
    """The request was cancelled between two batches or tokens."""


class Model:
    """A loaded model with its context and what is in its key-value cache."""

    def __init__(self, file: Path, *, context: int, threads: int, gpu_layers: int, profile: Profile) -> None:
        """Load. Raises ModelRefused where llama.cpp can't; `context` is cut to what the model was trained on."""
        self.file, self.profile, self.threads = file, profile, threads
        self._batch = 64
        self._cached: list[int] = []
        self._aside: tuple[list[int], Any] = ([], b"")
        self._context: Any = None
        self._model = lib.llama_model_load_from_file(os.fsencode(file), _model_params(profile, gpu_layers))
        if not self._model:
            raise ModelRefused("engine.load_failed", model=file.stem)
        self._vocab = lib.llama_model_get_vocab(self._model)
        self.vocabulary: int = lib.llama_vocab_n_tokens(self._vocab)
        trained = lib.llama_model_n_ctx_train(self._model)
        self._context = lib.llama_init_from_model(
            self._model, _context_params(profile, min(context, trained) if trained else context, threads)
        )
        if not self._context:
            self.close()
            raise ModelRefused("engine.load_failed", model=file.stem)
        self._memory = lib.llama_get_memory(self._context)
        self.context: int = lib.llama_n_ctx(self._context)

    def close(self) -> None:
        """Free everything."""
        if self._context:
            lib.llama_free(self._context)
        if self._model:
            lib.llama_model_free(self._model)
        self._context = self._model = None

    # --- words and tokens

    def template(self) -> str | None:
        """The file's chat template, or None."""
        found = lib.llama_model_chat_template(self._model, None)
        return found.decode("utf-8", "replace") if found else None

    def special(self, which: str) -> str:
        """The text of `bos` or `eos`; empty where the model has none."""
        token = getattr(lib, f"llama_vocab_{which}")(self._vocab)
        return self.text_of(token) if token >= 0 else ""

    def text_of(self, token: int) -> str:
        """A token as it is written in the vocabulary."""
        return (lib.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")

    def controls(self) -> list[str]:
        """The words that the tokenizer takes as control tokens."""
        return [self.text_of(t) for t in range(self.vocabulary) if lib.llama_vocab_is_control(self._vocab, t)]

    def ends(self, token: int) -> bool:
        """Whether the model says by it that it is done."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    def tokenize(self, text: str, *, prompt: bool = False) -> list[int]:
        """Tokens of a text; of a `prompt`, with control words understood and the beginning marked."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (lib.llama_token * room)()
        bos = self.special("bos")
        first = prompt and not (bos and text.startswith(bos))
        count = lib.llama_tokenize(self._vocab, data, len(data), tokens, room, first, prompt)
        if count < 0:
            raise EngineError("engine.failed")
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes a token writes; none for control tokens."""
        buffer = ctypes.create_string_buffer(256)
        size = lib.llama_token_to_piece(self._vocab, token, buffer, 256, 0, False)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = lib.llama_token_to_piece(self._vocab, token, buffer, -size, 0, False)
        return bytes(buffer.raw[:size])

    # --- computing

    @property
    def cached(self) -> int:
        """Tokens in the key-value cache."""
        return len(self._cached)

    def read(self, tokens: Sequence[int], *, stopped: Callable[[], bool], progress: Callable[[int], None]) -> int:
        """Compute the prompt, keeping what the cache shares with it. Returns how many tokens that were.

        Raises ContextOverflow, Stopped. `progress` hears of the tokens done after each batch.
        """
        if len(tokens) >= self.context:
            raise ContextOverflow(tokens=len(tokens), limit=self.context)
        shared = min(self._shared(tokens), len(tokens) - 1)  # the last one must be computed: its logits are wanted
        self._keep(shared)
        at = len(self._cached)
        kept = at
        while at < len(tokens):
            if stopped():
                raise Stopped
            part = tokens[at : at + self._batch]
            began = time.monotonic()
            self._decode(part)
            at += len(part)
            if len(part) == self._batch:
                self._batch = _batch(len(part) / max(time.monotonic() - began, 1e-6))
            progress(at)
        return kept

    def _shared(self, tokens: Sequence[int]) -> int:
        """How many of the first tokens are computed already; what is about to be lost is put aside, one prompt at most.

        So a look into a mail, or work in the background, doesn't cost the conversation its long beginning.
        """
        here, there = _common(self._cached, tokens), _common(self._aside[0], tokens)
        worth = len(self._cached) - here >= _WORTH and len(self._cached) <= _MOST_ASIDE
        leaving = (self._cached.copy(), self._state()) if worth else ([], b"")
        if there - here >= _WORTH:
            cached, data = self._aside
            self._aside = leaving
            return there if self._put(cached, data) else 0
        if worth:
            self._aside = leaving
        return here

    def advance(self, tokens: Sequence[int]) -> None:
        """Compute these tokens more, all at once."""
        self._decode(tokens)

    @cached_property
    def bytes_and_ends(self) -> tuple[dict[int, bytes], list[int]]:
        """A token for each single byte, with that byte, and the tokens that end a text."""
        single: dict[bytes, int] = {}
        for token in range(self.vocabulary):
            piece = self.piece(token)
            if len(piece) == 1:
                single.setdefault(piece, token)
        ends = [token for token in range(self.vocabulary) if self.ends(token)]
        return {token: byte for byte, token in single.items()}, ends

    def logits(self) -> numpy.ndarray[Any, numpy.dtype[numpy.float32]]:
        """The logits after the last token, shape (vocabulary,); valid until the next computation."""
        pointer = lib.llama_get_logits_ith(self._context, -1)
        if not pointer:
            raise EngineError("engine.failed")
        return numpy.ctypeslib.as_array(pointer, (self.vocabulary,))

    def _decode(self, tokens: Sequence[int]) -> None:
        array = (lib.llama_token * len(tokens))(*tokens)
        code = lib.llama_decode(self._context, lib.llama_batch_get_one(array, len(tokens)))
        if code != 0:
            self._keep(0)
            raise EngineError("engine.decode", status=code)
        self._cached.extend(tokens)

    def _keep(self, count: int) -> None:
        """Cut the cache to its first `count` tokens, or empty it where the model can't forget a part."""
        if count == len(self._cached):
            return
        if not lib.llama_memory_seq_rm(self._memory, _SEQUENCE, count, -1):
            lib.llama_memory_clear(self._memory, True)
            count = 0
        del self._cached[count:]

    def clear(self) -> None:
        """Empty the cache and overwrite what it held."""
        lib.llama_memory_clear(self._memory, True)
        self._cached.clear()
        if self._aside[1]:
            ctypes.memset(self._aside[1], 0, len(self._aside[1]))
        self._aside = ([], b"")

    # --- state: set aside, and on disk

    def _state(self) -> Any:
        """The cache as bytes (an array of ctypes')."""
        buffer = (ctypes.c_uint8 * lib.llama_state_seq_get_size(self._context, _SEQUENCE))()
        lib.llama_state_seq_get_data(self._context, buffer, len(buffer), _SEQUENCE)
        return buffer

    def _put(self, tokens: list[int], data: Any) -> bool:
        """Take the cache of `tokens` from `_state`'s bytes; where that fails the cache is empty, and False."""
        self._keep(0)
        if not lib.llama_state_seq_set_data(self._context, data, len(data), _SEQUENCE):
            lib.llama_memory_clear(self._memory, True)
            return False
        self._cached = tokens
        return True

    def save(self, file: Path, identity: str) -> int:
        """Write the cache to a file (whole or not at all), with its checksum. Returns its tokens."""
        data = memoryview(self._state())
        head = json.dumps(
            {"for": self._identity(identity), "tokens": self._cached, "sha256": hashlib.sha256(data).hexdigest()}
        ).encode()
        temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as out:
            out.write(_STATE_MAGIC + struct.pack(">I", len(head)) + head)
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
        return len(self._cached)

    def restore(self, file: Path, identity: str) -> int:
        """Take the cache from a file. Raises EngineError for a file of another model or one that is damaged."""
        raw = file.read_bytes()
        start = len(_STATE_MAGIC) + 4
        try:
            if not raw.startswith(_STATE_MAGIC):
                raise ValueError("not a state file")
            size = struct.unpack(">I", raw[len(_STATE_MAGIC) : start])[0]
            head = json.loads(raw[start : start + size])
            data, tokens = raw[start + size :], [int(token) for token in head["tokens"]]
            if head["for"] != self._identity(identity):
                raise ValueError("of another model")
            if hashlib.sha256(data).hexdigest() != head["sha256"] or len(tokens) > self.context:
                raise ValueError("damaged")
        except (ValueError, KeyError, TypeError, struct.error) as error:
            raise EngineError("engine.state_refused", file=file.name, problem=str(error)) from error
        if not self._put(tokens, (ctypes.c_uint8 * len(data)).from_buffer_copy(data)):
            raise EngineError("engine.state_refused", file=file.name, problem="not accepted")
        return len(tokens)

    def _identity(self, model: str) -> list[str]:
        return [model, self.profile.name, lib.llama_version().decode()]


_MOST_FORCED = 64
"""So many bytes are foreseen at once."""


class Grammar:
    """A GBNF grammar followed token by token."""

    def __init__(self, model: Model, gbnf: str) -> None:
        """Raises EngineError for a grammar that llama.cpp can't parse."""
        self._model = model
        self._sampler = lib.llama_sampler_init_grammar(model._vocab, gbnf.encode(), b"root")
        if not self._sampler:
            raise EngineError("engine.grammar")

    def allowed(self, tokens: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
        """Which of the tokens may come next: a mask of the same length."""
        return self._allowed(self._sampler, tokens)

    def forced(self) -> bytes:
        """What must come next, whatever the model thinks: as far as the grammar leaves one byte at a time."""
        bytes_, ends = self._model.bytes_and_ends
        probe = numpy.array([*bytes_, *ends])
        sampler = lib.llama_sampler_clone(self._sampler)
        found = bytearray()
        try:
            while len(found) < _MOST_FORCED:
                left = probe[self._allowed(sampler, probe)]
                if len(left) != 1 or int(left[0]) not in bytes_:
                    break
                found += bytes_[int(left[0])]
                lib.llama_sampler_accept(sampler, int(left[0]))
        finally:
            lib.llama_sampler_free(sampler)
        return bytes(found)

    def _allowed(self, sampler: Any, tokens: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
        data = numpy.zeros(len(tokens), dtype=[("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
        data["id"] = tokens
        array = lib.llama_token_data_array(
            data=data.ctypes.data_as(lib.llama_token_data_p), size=len(tokens), selected=-1, sorted=False
        )
        lib.llama_sampler_apply(sampler, ctypes.byref(array))
        return data["logit"] > -numpy.inf

    def accept(self, token: int) -> None:
        """Go on after a token that was allowed."""
        lib.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        """Free it."""
        lib.llama_sampler_free(self._sampler)


def gbnf(schema: dict[str, Any]) -> str:
    """The grammar of a JSON schema. Raises EngineError where llama.cpp's converter can't express it."""
    try:
        text: str = json_schema_to_gbnf(json.dumps(schema))
    except Exception as error:  # the converter raises whatever its author met first
        raise EngineError("engine.schema", problem=str(error)[:200]) from error
    return text


def _batch(rate: float) -> int:
    """The power of two, 16 to 512, that takes about `_BATCH_S` at `rate` tokens per second."""
    fitting = max(1, int(rate * _BATCH_S))
    return max(16, min(512, 1 << (fitting.bit_length() - 1)))


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    for place, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return place
    return min(len(left), len(right))


def _model_params(profile: Profile, gpu_layers: int) -> Any:
    params = lib.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    params.use_extra_bufts = profile.extra_buffers
    params.load_mode = lib.LLAMA_LOAD_MODE_AUTO if profile.mmap else lib.LLAMA_LOAD_MODE_NONE
    return params


def _context_params(profile: Profile, context: int, threads: int) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = context
    params.n_batch = params.n_ubatch = 512
    params.n_threads = threads
    params.n_threads_batch = 1 if profile.one_thread_prefill else threads
    kind = "AUTO" if profile.flash_attention else "DISABLED"
    params.flash_attn_type = getattr(lib, f"LLAMA_FLASH_ATTN_TYPE_{kind}")
    return params
