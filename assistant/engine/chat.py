"""From messages to the text a model was trained on: the template in its file, or LLaMA 2's form where it has none.

Knows no tokens and no native code. Templates come out of downloaded files, so they run in Jinja's immutable sandbox;
what people and tools wrote can't pose as the template's own control words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assistant.errors import EngineError

Chat = list[dict[str, str]]

LLAMA2_CONTROLS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")
"""Control words of LLaMA 2 that are ordinary text to its tokenizer."""

_BREAK = "\u200b"


class ChatTemplate:
    """How one model wants its messages written."""

    def __init__(
        self,
        source: str | None,
        *,
        bos: str = "",
        eos: str = "",
        controls: Iterable[str] = (),
        now: Callable[[], datetime],
    ) -> None:
        """`source` is the file's `tokenizer.chat_template`; `controls` are the words its tokenizer takes as control."""
        self._bos, self._eos = bos, eos
        own = LLAMA2_CONTROLS if source is None else ()
        words = sorted({word for word in (*controls, *own) if len(word) > 1}, key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, words))) if words else None
        self._template = None
        if source is not None:
            try:
                self._template = _environment(now).from_string(source)
            except TemplateError as error:
                raise EngineError("engine.template", problem=str(error)[:200]) from error

    def render(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt up to where the assistant begins to speak. Raises EngineError where the template fails."""
        chat = [{"role": message["role"], "content": self._defuse(message["content"])} for message in messages]
        if self._template is None:
            return self._llama2(_merged(chat))
        system = "\n\n".join(message["content"] for message in chat if message["role"] == "system")
        last: Exception | None = None
        for form in (chat, _folded(chat), _merged(_folded(chat))):
            try:
                text = self._rendered(form)
            except Exception as error:  # a template may fail in any way it likes
                last = error
                continue
            if system.strip() in text:
                return text
        raise EngineError("engine.template", problem=str(last)[:200] if last else "the system message is left out")

    def _rendered(self, chat: Chat) -> str:
        if self._template is None:
            raise ValueError("no template")
        return self._template.render(
            messages=chat, add_generation_prompt=True, bos_token=self._bos, eos_token=self._eos, tools=None
        )

    def _llama2(self, chat: Chat) -> str:
        """Meta's published form (meta-llama/llama, generation.py): [INST], <<SYS>>, one BOS and EOS per exchange."""
        text = self._bos
        for place, message in enumerate(_folded(chat, "<<SYS>>\n{}\n<</SYS>>\n\n")):
            content = message["content"].strip()
            if message["role"] == "assistant":
                text += f" {content} {self._eos}{self._bos}"
            else:
                text += f"{'' if place == 0 or text.endswith(self._bos or '') else ' '}[INST] {content} [/INST]"
        return text

    def _defuse(self, content: str) -> str:
        """Break control words inside a message with a zero-width space: they stay readable and mean nothing."""
        if self._controls is None:
            return content
        return self._controls.sub(lambda found: found[0][0] + _BREAK + found[0][1:], content)


def _folded(chat: Chat, form: str = "{}\n\n") -> Chat:
    """The system messages put before the first user message."""
    system = "\n\n".join(message["content"].strip() for message in chat if message["role"] == "system")
    rest = [dict(message) for message in chat if message["role"] != "system"]
    if not system:
        return rest
    head = form.replace("{}", system)
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": head}, *rest]
    return [{"role": "user", "content": head + rest[0]["content"]}, *rest[1:]]


def _merged(chat: Chat) -> Chat:
    """Neighbours of one role joined: some templates insist that roles alternate."""
    joined: Chat = []
    for message in chat:
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1] = {"role": message["role"], "content": f"{joined[-1]['content']}\n\n{message['content']}"}
        else:
            joined.append(dict(message))
    return joined


def _environment(now: Callable[[], datetime]) -> ImmutableSandboxedEnvironment:
    """Set up as Hugging Face's transformers sets it up, which is what template authors write for."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: now().strftime(form)
    return environment


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)
