"""Streamed text: whole characters, and never a piece of a stop string."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.stream import StreamedText


def run(data: bytes, sizes: list[int], stop: list[str], emitted: int = 0) -> tuple[list[str], bool]:
    text = StreamedText(stop, emitted=emitted)
    pieces, at = [], 0
    while at < len(data) and not text.stopped:
        size = sizes[len(pieces) % len(sizes)] if sizes else len(data)
        pieces.append(text.add(data[at : at + size]))
        at += size
    pieces.append(text.rest())
    return pieces, text.stopped


@given(st.text(), st.lists(st.integers(1, 5), max_size=5))
def test_any_split_of_the_bytes_gives_the_same_text(words: str, sizes: list[int]) -> None:
    words = words.encode("utf-8", "replace").decode()
    pieces, _ = run(words.encode(), sizes, [])
    assert "".join(pieces) == words


@given(st.text(alphabet="ab<>", max_size=30), st.lists(st.integers(1, 3), max_size=4))
def test_text_ends_before_the_first_stop_string(words: str, sizes: list[int]) -> None:
    stop = ["<ab>", "ba"]
    pieces, stopped = run(words.encode(), sizes, stop)
    shown = "".join(pieces)
    assert words.startswith(shown)
    assert stopped == any(word in words for word in stop)
    assert not any(word in shown for word in stop)
    if not stopped:
        assert shown == words


@given(st.text(alphabet="abc你好🙂", max_size=30), st.integers(0, 30), st.lists(st.integers(1, 3), max_size=4))
def test_what_the_caller_has_is_not_given_again(words: str, emitted: int, sizes: list[int]) -> None:
    pieces, _ = run(words.encode(), sizes, [], emitted)
    assert "".join(pieces) == words[emitted:]


def test_a_beginning_of_a_stop_string_is_shown_when_it_is_none() -> None:
    text = StreamedText(["END"])
    assert [text.add(b"a E"), text.add(b"N"), text.add(b"T"), text.rest()] == ["a ", "", "ENT", ""]
