"""A profile carried away and back: nothing is lost as JSON, what holds comes back from Markdown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.clock import FrozenClock
from assistant.errors import Conflict, Rejected
from assistant.knowledge import Fact
from assistant.memory.keeper import KeptProfile
from assistant.memory.kinds import kinds
from assistant.memory.readable import read, written
from assistant.skillkit.context import Calm
from assistant.store import open_database
from tests.support.profiles import NoEmbedder

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def profile(folder: Path, name: str = "a", now: datetime = START, **more: Any) -> KeptProfile:
    """An empty one."""
    base = folder / name
    base.mkdir()
    return KeptProfile(open_database(":memory:"), FrozenClock(now), base / "profile", NoEmbedder(), Calm(), **more)


def seen(one: KeptProfile) -> dict[str, Any]:
    """All that `show`, `why`, `history` and `--as-of` tell."""
    facts = one.facts(history=True)
    days = [START + timedelta(days=day) for day in range(-1, 12)]
    return {
        "now": one.facts(),
        "all": facts,
        "why": {fact.id: [said.model_dump(exclude={"id"}) for said in one.why(fact.id)] for fact in facts},
        "history": [change.model_dump(exclude={"id"}) for change in one.changes(10_000)],
        "as_of": [one.facts(as_of=day) for day in days],
    }


WORDS = st.sampled_from(["Kiel", "Bonn", "mint tea", "茶花", "🫖 tea", 'a "b" \\ c', "é\tx", "tea", "teas"])
SAID = st.one_of(
    WORDS.map(lambda word: f"I live in {word}"),
    WORDS.map(lambda word: f"I like {word}"),
    WORDS.map(lambda word: f"I don't like {word}"),
    WORDS.map(lambda word: f"我住在{word}"),
    st.just("what a day"),
)
ACTS = st.lists(st.tuples(st.sampled_from("hhhhrpuetn"), SAID, st.integers(0, 10)), max_size=14)


def live(one: KeptProfile, acts: list[tuple[str, str, int]], prefix: str) -> None:
    """A life: things heard and remembered, pinned, taken back, edited."""
    for number, (act, said, day) in enumerate(acts):
        facts = one.facts()
        chosen = facts[day % len(facts)] if facts else None
        tongue = "zh" if "我" in said else "en"
        if act == "h":
            one.take_in(said, f"turn:{prefix}{number}", language=tongue, at=START + timedelta(days=day), thread="s")
        elif act == "r":
            one.remember(said, f"op:{prefix}{number}", language=tongue)
        elif act in "pu" and chosen:
            one.pin(chosen.id, act == "p")
        elif act == "e" and chosen:
            one.edit(chosen.id, said, language="en")
        elif act == "n":
            asyncio.run(one.nights.consolidate())
        elif act == "t" and (changes := one.changes(1)):
            one.take_back(changes[0].batch)


@settings(deadline=None, max_examples=60)
@given(acts=ACTS)
def test_a_round_trip_as_json_into_an_empty_profile_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    first, second = profile(folder, "a"), profile(folder, "b")
    live(first, acts, "a")
    text = first.hands.text("json", "en")
    second.hands.take_text(text)
    assert seen(second) == seen(first)
    assert second.hands.text("json", "en") == text
    done = second.hands.take_text(text)
    assert not any(done.model_dump().values())
    assert seen(second) == seen(first)


@settings(deadline=None, max_examples=60)
@given(acts=ACTS, more=ACTS)
def test_a_profile_taken_into_another_merges_and_twice_is_once(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, int]], more: list[tuple[str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    first, second = profile(folder, "a"), profile(folder, "b")
    live(first, acts, "a")
    live(second, more, "b")
    before = {fact.id for fact in second.facts(history=True)}
    text = first.hands.text("json", "en")
    second.hands.take_text(text)
    after = seen(second)
    told = {(fact.predicate, fact.value.casefold()) for fact in after["all"]}
    assert before <= {fact.id for fact in after["all"]}
    assert all((fact.predicate, fact.value.casefold()) in told for fact in first.facts(history=True))
    homes = [fact for fact in after["now"] if fact.predicate == "home"]
    assert len(homes) <= 1
    newest = max(
        (fact.observed_at for one in (first, second) for fact in one.facts() if fact.predicate == "home"), default=None
    )
    assert [fact.observed_at for fact in homes] == ([newest] if newest else [])
    assert not any(second.hands.take_text(text).model_dump().values())
    assert seen(second) == after


FACTS = st.lists(
    st.builds(
        lambda predicate, subject, topic, value: (predicate, subject, topic, value),
        st.sampled_from(sorted(kinds().predicates)),
        st.one_of(st.just(""), st.text(min_size=1, max_size=12)),
        st.text(max_size=12),
        st.text(min_size=1, max_size=20).filter(lambda value: value.strip()),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=200)
@given(facts=FACTS, language=st.sampled_from(["en", "zh"]))
def test_markdown_is_read_back_as_it_was_meant(facts: list[tuple[str, str, str, str]], language: str) -> None:
    made = [fact(*one) for one in facts]
    text = written(made, language)
    back = [(one.said.predicate, one.said.subject, one.said.topic, one.said.value) for one in read(text)]
    order = list(kinds().titles)
    assert back == sorted(facts, key=lambda one: order.index(kinds().predicates[one[0]].kind))


def fact(predicate: str, subject: str, topic: str, value: str) -> Fact:
    moments = dict.fromkeys(("observed_at", "valid_from", "recorded_at", "last_confirmed_at"), START)
    return Fact(
        id="0" * 12,
        kind=kinds().predicates[predicate].kind,
        predicate=predicate,
        subject=subject,
        topic=topic,
        value=value,
        text=value,
        language="en",
        confidence=0.9,
        origin="said",
        **moments,
    )


@settings(deadline=None, max_examples=40)
@given(acts=ACTS, language=st.sampled_from(["en", "zh"]))
def test_what_holds_comes_back_from_markdown(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, int]], language: str
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    first, second = profile(folder, "a"), profile(folder, "b", START + timedelta(days=20))
    live(first, acts, "a")
    text = first.hands.text("markdown", language)
    second.hands.take_text(text)

    def told(one: KeptProfile) -> list[tuple[str, str, str, str]]:
        return sorted((each.predicate, each.subject, each.topic, each.value) for each in one.facts())

    assert told(second) == told(first)
    before = seen(second)
    assert not any(second.hands.take_text(text).model_dump().values())
    assert seen(second) == before


@pytest.fixture
def kept(tmp_path: Path) -> KeptProfile:
    one = profile(tmp_path)
    one.remember("I live in Kiel", "op:1", language="en")
    one.remember("I like mint tea", "op:2", language="en")
    one.remember("我对花生过敏", "op:3", language="zh")
    return one


def spoiled(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def spoil(text: str) -> str:
        tree = json.loads(text)
        change(tree)
        return json.dumps(tree)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda text: text[: len(text) // 2], "memory.import_not_json"),
        (lambda text: "[" * 100_000, "memory.import_foreign"),
        (lambda text: "{" * 100_000, "memory.import_not_json"),
        (lambda text: "", "memory.import_foreign"),
        (lambda text: '{"a": 1}', "memory.import_foreign"),
        (lambda text: "# Shopping\n- eggs\n", "memory.import_foreign"),
        (spoiled(lambda tree: tree.update(version=2)), "memory.import_version"),
        (spoiled(lambda tree: tree.update(more=1)), "memory.import_broken"),
        (spoiled(lambda tree: tree["facts"][0].update(predicate="shoe_god")), "memory.import_unknown"),
        (spoiled(lambda tree: tree["facts"][0].update(origin="heard")), "memory.import_broken"),
        (spoiled(lambda tree: tree["facts"][0].update(confidence=7)), "memory.import_broken"),
        (spoiled(lambda tree: tree["facts"][0].update(evidence=["turn:none"])), "memory.import_broken"),
        (spoiled(lambda tree: tree["facts"][0].update(valid_from="0001-01-01T00:00:00+14:00")), "memory.import_broken"),
        (spoiled(lambda tree: tree["facts"].append(tree["facts"][0])), "memory.import_broken"),
        (spoiled(lambda tree: tree["evidence"].append(tree["evidence"][0])), "memory.import_broken"),
        (spoiled(lambda tree: tree["changes"][0].update(fact="none")), "memory.import_broken"),
        (spoiled(lambda tree: tree["changes"][0].update(what="pinned", before={"id": "x"})), "memory.import_broken"),
        (lambda text: text.replace("Kiel", "\\ud800"), "memory.import_broken"),
    ],
)
def test_a_broken_or_foreign_file_changes_nothing(
    tmp_path: Path, kept: KeptProfile, spoil: Callable[[str], str], code: str
) -> None:
    other = profile(tmp_path, "b")
    other.remember("I live in Bonn", "op:9", language="en")
    before = seen(other)
    with pytest.raises(Rejected) as refused:
        other.hands.take_text(spoil(kept.hands.text("json", "en")))
    assert refused.value.code == code
    assert seen(other) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- You live in Kiel.", "- I live in Kiel"),
        ("- You live in Kiel.", "You live in Kiel."),
        ("## Places", "## Somewhere"),
        ("*(2026-01-01)*", "*(2026-13-01)* x"),
    ],
)
def test_a_line_that_is_not_ours_is_refused_by_its_number(kept: KeptProfile, old: str, new: str) -> None:
    text = kept.hands.text("markdown", "en")
    number = next(at for at, line in enumerate(text.split("\n"), start=1) if old in line)
    before = seen(kept)
    with pytest.raises(Rejected) as refused:
        kept.hands.take_text(text.replace(old, new, 1))
    assert refused.value.data == {"line": number}
    assert seen(kept) == before


def test_a_line_that_was_corrected_by_hand_is_taken_as_it_stands(kept: KeptProfile) -> None:
    text = kept.hands.text("markdown", "en").replace("You live in Kiel. *(2026-01-01)*", "You live in Bonn.")
    kept._clock.at = START + timedelta(days=3)  # type: ignore[attr-defined]
    kept.hands.take_text(text)
    assert {one.value for one in kept.facts()} == {"Bonn", "mint tea", "花生"}
    assert "Kiel" in {one.value for one in kept.facts(history=True)}


def test_a_merge_can_be_taken_back_with_its_words(tmp_path: Path, kept: KeptProfile) -> None:
    other = profile(tmp_path, "b", START + timedelta(days=2))
    other.remember("I live in Bonn", "op:9", language="en")
    other.remember("I like figs", "op:8", language="en")
    before = seen(kept)
    taken = kept.hands.take_text(other.hands.text("json", "en"))
    assert (taken.added, taken.superseded) == (2, 1)
    assert {one.value for one in kept.facts()} == {"Bonn", "figs", "mint tea", "花生"}
    kept.take_back(kept.changes(1)[0].batch)
    assert seen(kept) == before
    assert kept.hands.stats().evidence == 3


def test_what_is_barred_is_left_out_of_an_import(tmp_path: Path, kept: KeptProfile) -> None:
    other = profile(tmp_path, "b")
    other.hands.bar("health")
    other.hands.bar("tea")
    assert other.hands.take_text(kept.hands.text("json", "en")).left_out == 2
    assert [one.value for one in other.facts()] == ["Kiel"]
    assert other.hands.stats().evidence == 1


def test_an_export_is_its_owners_alone_and_overwrites_nobodys_file(tmp_path: Path, kept: KeptProfile) -> None:
    theirs, ours = tmp_path / "mine.txt", tmp_path / "profile.md"
    theirs.write_text("mine")
    with pytest.raises(Conflict):
        asyncio.run(kept.hands.export(theirs, "json", "en"))
    for bad in (tmp_path, tmp_path / "no" / "folder", Path("relative.json")):
        with pytest.raises(Rejected):
            asyncio.run(kept.hands.export(bad, "json", "en"))
    asyncio.run(kept.hands.export(ours, "markdown", "zh"))
    asyncio.run(kept.hands.export(ours, "markdown", "en"))
    assert ours.stat().st_mode & 0o777 == 0o600
    assert theirs.read_text() == "mine"
    assert kept.hands.stats().exports == (str(ours),)


@pytest.mark.parametrize("form", ["json", "markdown"])
def test_what_is_forgotten_goes_from_exports_or_is_told_to_be_there(
    tmp_path: Path, kept: KeptProfile, form: Any
) -> None:
    files = [tmp_path / f"{name}.export" for name in ("there", "moved", "changed")]

    async def story() -> None:
        for file in files:
            await kept.hands.export(file, form, "en")
        files[1].rename(tmp_path / "elsewhere")
        files[2].write_text("my notes\n" + files[2].read_text())
        [tea] = [one for one in kept.facts() if one.value == "mint tea"]
        done = await kept.forget([tea.id])
        assert done.count == 1
        assert set(done.left) == {str(files[1]), str(files[2])}
        assert "mint tea" not in files[0].read_text()
        other = profile(tmp_path, "b")
        other.hands.take_text(files[0].read_text())
        assert {one.value for one in other.facts()} == {"Kiel", "花生"}

    asyncio.run(story())


def test_an_edit_takes_the_place_of_a_value_and_can_be_taken_back(kept: KeptProfile) -> None:
    [tea] = [one for one in kept.facts() if one.value == "mint tea"]
    kept.pin(tea.id, True)
    before = kept.facts()
    new = kept.edit(tea.id, "green tea", language="en")
    assert (new.value, new.pinned, new.text) == ("green tea", True, "You like green tea.")
    assert "mint tea" not in {one.value for one in kept.facts()}
    assert "mint tea" in {one.value for one in kept.facts(history=True)}
    with pytest.raises(Conflict):
        kept.edit(tea.id, "black tea", language="en")
    kept.take_back(kept.changes(1)[0].batch)
    assert kept.facts() == before
