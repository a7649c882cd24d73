"""The search index finds what was put in, in both kinds of script, whatever is typed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.store.database import open_database
from assistant.store.index import SqlIndex


@dataclass(frozen=True)
class Text:
    id: str
    text: str
    stamp: str = "1"
    fields: Mapping[str, str | int | bool] = field(default_factory=dict)


@pytest.fixture
def index() -> SqlIndex:
    return SqlIndex(open_database(":memory:"), "test")


async def test_a_word_is_found_whatever_its_case_width_accent_or_plural(index: SqlIndex) -> None:
    await index.put([Text("a", "The INVOICES from the Café, total １２３ euro"), Text("b", "something else")])
    for query in ("invoice", "café", "cafe", "ＣＡＦＥ", "123", "invoices cafe"):
        assert await index.search(query) == ["a"], query


async def test_chinese_is_found_by_any_of_its_pieces(index: SqlIndex) -> None:
    await index.put([Text("a", "明天下午三点开会，请带上租房合同。"), Text("b", "周末聚餐")])
    for query in ("下午", "开会", "租房合同", "明天下午", "会", "合同 开会", "会，请带"):
        assert await index.search(query) == ["a"], query


async def test_mixed_scripts_japanese_and_korean_are_found(index: SqlIndex) -> None:
    await index.put([Text("a", "新iPhone手机到了"), Text("b", "会議のお知らせ"), Text("c", "회의 안내입니다")])
    assert await index.search("iphone") == ["a"]
    assert await index.search("手机") == ["a"]
    assert await index.search("お知らせ") == ["b"]
    assert await index.search("안내") == ["c"]


async def test_all_words_come_before_some_words(index: SqlIndex) -> None:
    await index.put([Text("a", "rent contract"), Text("b", "contract for the car")])
    assert await index.search("contract rent") == ["a"]
    assert set(await index.search("contract boat")) == {"a", "b"}
    assert await index.search("boat") == []


async def test_among_equals_the_newer_comes_first_and_without_words_all_by_date(index: SqlIndex) -> None:
    await index.put([Text(str(day), "same text", fields={"date": day}) for day in (3, 9, 5)])
    assert await index.search("same") == ["9", "5", "3"]
    assert await index.search("", limit=2) == ["9", "5"]
    assert await index.search("  ?! ") == ["9", "5", "3"]


async def test_fields_filter(index: SqlIndex) -> None:
    await index.put(
        [
            Text("a", "x", fields={"sender": "Anna <anna@example.org>", "date": 10, "bulk": False}),
            Text("b", "x", fields={"sender": "ÄNNE <b@example.org>", "date": 20, "bulk": True}),
        ]
    )
    assert await index.search("x", where={"sender~": "anna@"}) == ["a"]
    assert await index.search("x", where={"sender~": ["nobody", "änne"]}) == ["b"]
    assert await index.search("x", where={"sender~": []}) == []
    assert await index.search("x", where={"date>=": 11}) == ["b"]
    assert await index.search("x", where={"date<": 20}) == ["a"]
    assert await index.search("x", where={"bulk": True}) == ["b"]
    assert await index.search("", where={"nothing": "x"}) == []


@pytest.mark.parametrize("key", ["a'b", "a) OR 1=1 --", "", "1a", "a.b", "date>"])
async def test_a_field_name_can_not_carry_sql(index: SqlIndex, key: str) -> None:
    with pytest.raises(ValueError, match="no field"):
        await index.search("x", where={key: 1})


async def test_replacing_and_deleting_leave_no_trace(index: SqlIndex) -> None:
    await index.put([Text("a", "old words"), Text("a", "new words", stamp="2")])
    await index.put([Text("a", "newest words", stamp="3")])
    assert await index.search("old") == []
    assert await index.search("new") == []
    assert await index.search("newest") == ["a"]
    assert await index.stamps() == {"a": "3"}
    await index.delete(["a", "unknown"])
    assert await index.search("newest") == []
    assert await index.stamps() == {}


async def test_collections_do_not_see_each_other() -> None:
    db = open_database(":memory:")
    first, second = SqlIndex(db, "first"), SqlIndex(db, "second")
    await first.put([Text("a", "shared word")])
    await second.put([Text("a", "shared word too")])
    await first.delete(["a"])
    assert await first.search("shared") == []
    assert await second.search("shared") == ["a"]


COUNT = itertools.count()
DATABASE = open_database(":memory:")


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
async def test_no_query_raises(query: str) -> None:
    index = SqlIndex(DATABASE, f"test{next(COUNT)}")
    await index.put([Text("a", 'NEAR("x") AND * OR - ^ : ( 中 文 " \' 会')])
    await index.search(query)
    await index.search(f'"{query}" AND NOT ({query}* OR words:{query})')


SCRIPTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="中文邮件会议合同租房a1 ，。-", max_size=40),
    st.text(alphabet="abcdeé ÄßΣ.-_'", max_size=40),
)


@given(SCRIPTS, st.data())
@settings(max_examples=200, deadline=None)
async def test_every_word_and_every_two_neighbouring_han_of_a_document_are_found(
    text: str, data: st.DataObject
) -> None:
    index = SqlIndex(DATABASE, f"test{next(COUNT)}")
    await index.put([Text("other", "zzz 龘龘"), Text("a", text)])
    words = [word for word in re.split(r"\s+", text) if re.search(r"[^\W_]", word)]
    runs = [run for run in re.findall(r"[一-鿿]+", text) if len(run) > 1]
    if words:
        assert "a" in await index.search(data.draw(st.sampled_from(words)))
    if runs:
        run = data.draw(st.sampled_from(runs))
        start = data.draw(st.integers(0, len(run) - 2))
        end = data.draw(st.integers(start + 2, len(run)))
        assert "a" in await index.search(run[start:end])
