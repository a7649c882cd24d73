"""The notes skill on a folder of Markdown files that a person edits too."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import AccountError, AskAgain, Conflict, NotFound, Rejected, SkillFailed
from assistant.locale import Catalogue
from assistant.models import Language
from assistant.skillkit import Context
from tests.support.context import context, load_skill
from tests.support.talk import talking

load_skill("notes")
from assistant_skills.notes import items, naming, pages  # noqa: E402

MINE = """\
---
title: Groceries
---
# For the weekend

Don't forget the bags!

1. oat milk
   the big one
* [x] eggs
- [ ] bread
\t- rye

```
- code
```
| a | table |
<!-- - hidden -->
"""


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """Makes contexts of one world: `world(language)`."""

    def make(language: Language = "en", **settings: Any) -> Context:
        return context(load_skill("notes")[1], "notes", tmp_path, language=language, settings=settings)

    return make


@pytest.fixture
def notes() -> Any:
    return load_skill("notes")[0]


def sentence(error: Any, language: Language = "en") -> str:
    catalogue = Catalogue()
    catalogue.add("notes", Path("skills/notes/locale"))
    return " ".join(catalogue.explain(error, language))


def texts(result: Any) -> list[str]:
    return [item["text"] for item in result.data["items"]]


async def test_items_said_in_one_breath_become_lines_of_a_markdown_list(world: Any, notes: Any) -> None:
    added = await notes.add(world(), "milk, eggs and bread", "shopping")
    assert added.text == "On the list “shopping” now: milk, eggs, bread"
    file = world().folder / "shopping.md"
    assert file.read_text(encoding="utf-8") == "# shopping\n\n- [ ] milk\n- [ ] eggs\n- [ ] bread\n"
    assert (await notes.search(world(), list="shopping")).text == "“shopping” has 3 items:\n- milk\n- eggs\n- bread"


async def test_a_note_stays_whole_and_is_found_by_its_words(world: Any, notes: Any) -> None:
    await notes.add(world(), "The wifi password is apple, pear and plum")
    await notes.add(world("zh"), "门禁密码是2580，别告诉别人")
    assert texts(await notes.search(world(), "wifi password")) == ["The wifi password is apple, pear and plum"]
    assert texts(await notes.search(world("zh"), "门禁密码")) == ["门禁密码是2580，别告诉别人"]
    assert [file.name for file in world().folder.iterdir()] == ["notes.md"]
    assert "nothing about" in (await notes.search(world(), "boiler")).text


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("shopping", "购物清单"),
        ("my shopping list", "the groceries"),
        ("购物", "grocery list"),
        ("待办事项", "my to-do list"),
        ("to do list", "待办清单"),
        ("行李清单", "packing list"),
        ("笔记", "my notes"),
        ("list of books", "Books"),
        ("我的书单子", "书"),
        ("购物单", "购物清单里"),
    ],
)
async def test_a_list_is_the_same_by_all_its_names(world: Any, notes: Any, first: str, later: str) -> None:
    await notes.add(world(), "one thing", first)
    await notes.add(world("zh"), "另一样", later)
    assert len(list(world().folder.iterdir())) == 1
    assert texts(await notes.search(world(), list=later)) == ["one thing", "另一样"]


async def test_a_file_of_that_very_name_is_meant_before_one_of_another_name(world: Any, notes: Any) -> None:
    for name in ("groceries", "shopping"):
        (world().folder / f"{name}.md").write_text(f"- {name}\n", encoding="utf-8")
    assert texts(await notes.search(world(), list="Groceries")) == ["groceries"]
    assert texts(await notes.search(world(), list="shopping")) == ["shopping"]


async def test_what_a_person_wrote_around_the_items_is_never_lost(world: Any, notes: Any) -> None:
    file = world().folder / "shopping.md"
    file.write_bytes(MINE.replace("\n", "\r\n").encode())
    shown = await notes.search(world(), list="shopping")
    assert texts(shown) == ["Don't forget the bags!", "oat milk\nthe big one", "eggs", "bread", "rye"]
    assert "✓ eggs" in shown.text
    added = await notes.add(world(), "tea", "groceries")
    assert file.read_bytes().decode() == MINE.replace("\t- rye\n", "\t- rye\n- [ ] tea\n").replace("\n", "\r\n")
    await notes.take_back(world(), added.undo)
    assert file.read_bytes().decode() == MINE.replace("\n", "\r\n")
    removed = await notes.remove(world(), "oat milk and bread", "shopping")
    assert texts(removed) == ["oat milk\nthe big one", "bread"]
    left = file.read_bytes().decode()
    assert left == MINE.replace("1. oat milk\n   the big one\n", "").replace("- [ ] bread\n", "").replace("\n", "\r\n")
    await notes.take_back(world(), removed.undo)
    assert file.read_bytes().decode() == MINE.replace("\n", "\r\n")


async def test_a_new_list_that_is_taken_back_leaves_no_file(world: Any, notes: Any) -> None:
    added = await notes.add(world(), "milk", "shopping")
    await notes.take_back(world(), added.undo)
    assert not list(world().folder.iterdir())
    with pytest.raises(NotFound):
        await notes.take_back(world(), added.undo)


async def test_what_is_on_the_list_is_not_put_there_twice(world: Any, notes: Any) -> None:
    await notes.add(world(), "milk", "shopping")
    with pytest.raises(Rejected) as refusal:
        await notes.add(world(), "Milk", "shopping")
    assert "already" in sentence(refusal.value)
    assert (await notes.add(world(), "milk and tea", "shopping")).data["items"] == ["tea"]
    file = world().folder / "shopping.md"
    file.write_text("- [x] milk\n", encoding="utf-8")
    assert (await notes.add(world(), "milk", "shopping")).data["items"] == ["milk"]
    removed = await notes.remove(world(), "milk", "shopping")
    assert removed.data["items"] == [{"text": "milk", "list": "shopping", "done": False}]


async def test_removing_finds_the_best_and_asks_between_equals(world: Any, notes: Any) -> None:
    await notes.add(world(), "oat milk, goat milk, bread rolls", "shopping")
    await notes.add(world(), "call the bread factory")
    assert texts(await notes.remove(world(), "the rolls")) == ["bread rolls"]
    with pytest.raises(AskAgain) as question:
        await notes.remove(world(), "milk")
    assert question.value.choices == ("oat milk (shopping)", "goat milk (shopping)")
    assert texts(await notes.remove(world(), question.value.choices[1])) == ["goat milk"]
    with pytest.raises(NotFound):
        await notes.remove(world(), "oat milk and caviar")
    assert texts(await notes.search(world(), list="shopping")) == ["oat milk"]


async def test_chinese_items_are_cut_found_and_taken_off(world: Any, notes: Any) -> None:
    ctx = world("zh")
    added = await notes.add(ctx, "牛奶、鸡蛋和面包，还有一些和牛", "购物清单")
    assert added.data == {"list": "购物", "items": ["牛奶", "鸡蛋", "面包", "和牛"]}
    assert (await notes.remove(ctx, "鸡蛋", "购物")).text == "已从“购物”中去掉：鸡蛋"
    assert (await notes.search(ctx, list="购物清单")).text == "“购物”清单有3项：\n- 牛奶\n- 面包\n- 和牛"


async def test_everything_comes_off_only_a_list_that_is_named_and_comes_back(world: Any, notes: Any) -> None:
    await notes.add(world(), "milk, eggs", "shopping")
    with pytest.raises(NotFound):
        await notes.remove(world(), "everything")
    removed = await notes.remove(world(), "everything", "shopping")
    assert texts(await notes.search(world(), list="shopping")) == []
    await notes.take_back(world(), removed.undo)
    assert texts(await notes.search(world(), list="shopping")) == ["milk", "eggs"]


async def test_the_list_is_the_only_one_there_is_or_is_asked_for(world: Any, notes: Any) -> None:
    with pytest.raises(AskAgain) as question:
        await notes.add(world("zh"), "牛奶", "清单")
    assert question.value.missing == ("list",)
    assert question.value.choices == ("购物", "待办")
    await notes.add(world(), "milk", "shopping")
    assert (await notes.add(world(), "eggs", "the list")).data["list"] == "shopping"
    await notes.add(world(), "tent", "camping")
    with pytest.raises(AskAgain):
        await notes.add(world(), "rope", "my list")


async def test_a_list_nobody_began_is_empty_or_unknown_and_an_overview_names_all(world: Any, notes: Any) -> None:
    assert (await notes.search(world())).text == "You have no notes and no lists yet."
    assert "empty" in (await notes.search(world(), list="shopping")).text
    await notes.add(world(), "tent, rope", "camping")
    await notes.add(world(), "the boiler code is 12")
    with pytest.raises(NotFound) as refusal:
        await notes.search(world(), list="wishes")
    assert "camping" in sentence(refusal.value)
    assert (await notes.search(world())).text == (
        "You have one note:\n- the boiler code is 12\nThe list “camping” has 2 items."
    )
    assert texts(await notes.search(world(), "camping")) == ["tent", "rope"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "...x", "C:\\x", "x" * 300, "中" * 300, "\x00", "CON?"])
async def test_no_name_leads_out_of_the_folder(world: Any, notes: Any, name: str) -> None:
    await notes.add(world(), "thing", name)
    (file,) = world().folder.iterdir()
    assert file.parent == world().folder
    assert texts(await notes.search(world(), list=name)) == ["thing"]


async def test_nothing_said_is_asked_for(world: Any, notes: Any) -> None:
    for call in (notes.add, notes.remove):
        with pytest.raises(AskAgain):
            await call(world(), " ")


async def test_a_file_that_is_no_text_is_told_and_the_others_are_read(world: Any, notes: Any) -> None:
    await notes.add(world(), "milk", "shopping")
    (world().folder / "old.txt").write_bytes(b"\xff\xfe\x00x")
    with pytest.raises(Rejected):
        await notes.add(world(), "x", "old")
    found = await notes.search(world(), "milk")
    assert texts(found) == ["milk"]
    assert "old.txt is not a text file" in found.text
    with pytest.raises(Rejected):
        await notes.search(world(), list="old")
    assert (world().folder / "old.txt").read_bytes() == b"\xff\xfe\x00x"


async def test_a_folder_and_plain_files_of_the_users_own_are_used(world: Any, notes: Any, tmp_path: Path) -> None:
    folder = tmp_path / "Documents" / "Lists"
    ctx = world(folder=str(folder))
    await notes.add(ctx, "thing", "wishes")
    (folder / "books.txt").write_text("Emma\nMiddlemarch", encoding="utf-8")
    await notes.add(ctx, "Persuasion", "books")
    assert (folder / "books.txt").read_text(encoding="utf-8") == "Emma\nMiddlemarch\n- [ ] Persuasion\n"
    assert sorted(file.name for file in folder.iterdir()) == ["books.txt", "wishes.md"]


async def test_a_disk_that_takes_nothing_is_told_and_the_list_stays(
    world: Any, notes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await notes.add(world(), "milk", "shopping")
    before = (world().folder / "shopping.md").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SkillFailed) as failure:
        await notes.add(world(), "eggs", "shopping")
    assert "No space left" in sentence(failure.value)
    assert [(file.name, file.read_bytes()) for file in world().folder.iterdir()] == [("shopping.md", before)]


def test_a_line_that_an_editor_saves_in_between_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "shopping.md"
    file.write_text("- milk\n", encoding="utf-8")
    saved = iter(["- milk\n- by hand\n"])

    def edit(page: Any) -> list[str]:
        if text := next(saved, ""):
            file.write_text(text, encoding="utf-8")
        return [*page.lines, "- eggs\n"]

    pages.change(file, edit)
    assert file.read_text(encoding="utf-8") == "- milk\n- by hand\n- eggs\n"


def test_a_file_that_never_rests_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "shopping.md"
    file.touch()

    def edit(page: Any) -> list[str]:
        file.write_text("".join(page.lines) + "- more\n", encoding="utf-8")
        return ["- lost\n"]

    with pytest.raises(Conflict):
        pages.change(file, edit)
    assert "lost" not in file.read_text(encoding="utf-8")


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.md").mkdir()
    with pytest.raises(AccountError):
        pages.read(tmp_path / "x.md")


@pytest.mark.parametrize(
    ("text", "group", "expected"),
    [
        ("milk, eggs, and bread", "shopping", ["milk", "eggs", "bread"]),
        ("mac and cheese and some milk", "shopping", ["mac and cheese", "milk"]),
        ("1,5 l milk; 2 kg flour", "shopping", ["1,5 l milk", "2 kg flour"]),
        ("milk & honey plus tea", "shopping", ["milk", "honey", "tea"]),
        ("call mum and dad", "todo", ["call mum and dad"]),
        ("pay the rent, call mum and dad, and buy tape", "todo", ["pay the rent", "call mum and dad", "buy tape"]),
        ("牛奶跟豆浆", "购物", ["牛奶", "豆浆"]),
        ("milk和面包", "shopping", ["milk", "面包"]),
        ("温和洗发水，高跟鞋", "shopping", ["温和洗发水", "高跟鞋"]),
        ("sandpaper and a hand saw", "diy", ["sandpaper", "a hand saw"]),
        ("and", "shopping", ["and"]),
    ],
)
def test_items_are_cut_where_people_pause(text: str, group: str, expected: list[str]) -> None:
    assert items.split_items(text, group) == expected


@given(st.text(max_size=80), st.sampled_from(["shopping", "todo"]))
def test_no_item_is_empty_twice_or_made_up(text: str, group: str) -> None:
    found = items.split_items(text, group)
    assert all(item.strip() and item in text for item in found)
    assert len(set(found)) == len(found)


LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30) | st.sampled_from(
    MINE.splitlines()
)


@given(st.lists(LINE, max_size=15), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["tea", "茶", "- [ ] x", "# y"]))
def test_adding_to_any_file_and_removing_again_gives_the_same_file(lines: list[str], end: str, text: str) -> None:
    page = pages.Page(Path("x.md"), tuple(f"{line}{end}" for line in ["intro", *lines]), None)
    longer = replace(page, lines=tuple(pages.appended(page, [text], boxes=True, heading="x")))
    assert set(page.lines) <= set(longer.lines)
    assert len(longer.lines) == len(page.lines) + 1
    (place,) = [at for at in range(len(longer.lines)) if longer.lines[:at] + longer.lines[at + 1 :] == page.lines][:1]
    assert longer.lines[place].endswith(f"- [ ] {text}{end}") or page.lines[place - 1] == longer.lines[place]


@given(st.text(max_size=100))
def test_every_name_is_a_plain_file_name_and_stays_the_same_list(name: str) -> None:
    file = naming.file_name(name)
    assert file == Path(file).name
    assert len(file.encode()) < 200
    assert not file.startswith(".")
    assert naming.file_name(file) == file


async def test_a_conversation_fills_reads_and_clears_a_list(tmp_path: Path) -> None:
    from tests.support.context import USER

    async with talking(tmp_path, USER) as talk:
        assert "milk" in await talk.reply("put milk and eggs on my shopping list")
        assert "面包" in await talk.reply("把面包加到购物清单")
        assert "bread" not in await talk.reply("what's on the shopping list?")
        assert "eggs" in await talk.reply("take eggs off the shopping list")
        await talk.say("undo")
        assert await talk.reply("购物清单上有什么") == "“shopping”清单有3项：\n- milk\n- eggs\n- 面包"
