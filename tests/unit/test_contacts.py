"""The contacts skill on a folder of vCards, the reading of vCards, and that whom one adds is known everywhere."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import AskAgain, Conflict, NotFound, Rejected, SkillFailed
from assistant.locale import Catalogue
from assistant.memory.contacts import merged
from assistant.memory.users import UserFile
from assistant.models import Language, Person
from assistant.skillkit import Context
from assistant.values.iban import format_iban, parse_iban
from assistant.values.vcards import extend_card, read_cards, write_card
from tests.support.context import USER, context, load_skill
from tests.support.talk import talking

IBAN = "DE89370400440532013000"
KHARD = (
    "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:k1\r\nFN:Julia Novak\r\nN:Novak;Julia;;;\r\n"
    "EMAIL;PREF=1:julia@example.org\r\nTEL;TYPE=cell:+49 170 1\r\nX-SECRET:kept\r\nEND:VCARD\r\n"
)
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60)
WORDS = TEXT.map(lambda text: " ".join(text.split())).filter(bool)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """Makes contexts of one world: `world(language)`."""
    numbers = iter(range(1000))

    def make(language: Language = "en", **settings: Any) -> Context:
        ctx = context(load_skill("contacts")[1], "contacts", tmp_path, language=language, settings=settings)
        return replace(ctx, operation=f"op{next(numbers)}")

    return make


@pytest.fixture
def contacts() -> Any:
    return load_skill("contacts")[0]


def sentence(error: Any, language: Language = "en") -> str:
    catalogue = Catalogue()
    catalogue.add("contacts", Path("skills/contacts/locale"))
    return " ".join(catalogue.explain(error, language))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Anna", ["Anna Schmidt"]),
        ("my sister's", ["Anna Schmidt"]),
        ("我姐姐的", ["Anna Schmidt"]),
        ("bob", ["Bob Miller", "Bob Hoover"]),
        ("Bob Mil", ["Bob Miller"]),
        ("bob.hoover@example.net", ["Bob Hoover"]),
        ("wangwei", ["王伟"]),
        ("王", ["王伟"]),
        ("LANDLORD", ["Hausverwaltung Krause"]),
    ],
)
async def test_a_contact_is_found_by_name_alias_part_or_address(
    world: Any, contacts: Any, words: str, names: list[str]
) -> None:
    found = await contacts.find(world(), words)
    assert [item["name"] for item in found.data["items"]] == names


async def test_what_is_known_of_a_contact_is_told_in_both_languages(world: Any, contacts: Any) -> None:
    assert (await contacts.find(world(), "Anna")).text == "Anna Schmidt: e-mail anna.schmidt@example.org"
    assert (await contacts.find(world("zh"), "王伟")).text == "王伟：邮箱 wangwei@example.cn"
    assert "without" in (await contacts.find(world(), "landlord")).text


async def test_a_stranger_is_said_to_be_one_and_a_near_name_is_offered(world: Any, contacts: Any) -> None:
    with pytest.raises(NotFound) as refusal:
        await contacts.find(world(), "Ana Schmitt")
    assert "Anna Schmidt" in sentence(refusal.value)
    with pytest.raises(NotFound) as refusal:
        await contacts.find(world("zh"), "齐天大圣")
    assert "我不认识“齐天大圣”" in sentence(refusal.value, "zh")
    with pytest.raises(AskAgain):
        await contacts.find(world(), "  ")


async def test_a_new_contact_is_a_vcard_that_is_found_and_can_be_taken_back(world: Any, contacts: Any) -> None:
    ctx = world()
    added = await contacts.add(ctx, "Julia Novak", "julia@example.org", "0170 / 12 34", "de89 3704 0044 0532 0130 00")
    assert added.text == (
        "Saved Julia Novak among your contacts: "
        "e-mail julia@example.org, phone 0170 / 12 34, IBAN DE89 3704 0044 0532 0130 00"
    )
    (file,) = ctx.folder.glob("*")
    assert file.read_bytes().startswith(b"BEGIN:VCARD\r\nVERSION:3.0\r\n")
    (item,) = (await contacts.find(world(), "01701234")).data["items"]
    assert (item["name"], item["email"], item["iban"]) == ("Julia Novak", "julia@example.org", IBAN)
    assert "no longer" in (await contacts.take_back(world(), added.undo)).text
    assert not list(ctx.folder.glob("*"))
    with pytest.raises(NotFound):
        await contacts.take_back(world(), added.undo)


@pytest.mark.parametrize(
    "email", ["julia", "julia@", "@x.org", "a b@c.d e", "x@y..org", "x@y", "julia@example.org,b@c.de"]
)
async def test_a_malformed_address_is_refused_and_nothing_is_kept(world: Any, contacts: Any, email: str) -> None:
    with pytest.raises(Rejected) as refusal:
        await contacts.add(world(), "Julia", email)
    assert email in sentence(refusal.value)
    assert not list(world().folder.glob("*"))


@pytest.mark.parametrize("iban", ["DE88370400440532013000", "DE89", "hello", "89370400440532013000DE"])
async def test_an_iban_with_wrong_check_digits_is_refused(world: Any, contacts: Any, iban: str) -> None:
    with pytest.raises(Rejected):
        await contacts.add(world(), "Julia", iban=iban)
    assert not list(world().folder.glob("*"))


async def test_an_address_may_be_spoken_and_stands_for_a_name_nobody_said(world: Any, contacts: Any) -> None:
    spoken = await contacts.add(world(), "Julia", "julia at mail dot example dot org")
    assert spoken.data["email"] == "julia@mail.example.org"
    assert (await contacts.add(world(), "tom.krause@example.org")).data["name"] == "Tom Krause"


async def test_more_is_put_into_a_card_that_is_there_and_nothing_of_it_is_lost(world: Any, contacts: Any) -> None:
    file = world().folder / "novak.vcf"
    file.write_bytes(KHARD.encode())
    with pytest.raises(AskAgain) as question:
        await contacts.add(world(), "julia novak", "new@example.org", iban=IBAN)
    assert question.value.choices == ("Julia Novak <julia@example.org>",)
    assert file.read_bytes() == KHARD.encode()
    added = await contacts.add(world(), "julia@example.org", "new@example.org", iban=IBAN)
    assert "Added to Julia Novak" in added.text
    assert set(KHARD.splitlines()) < set(file.read_bytes().decode().splitlines())
    (item,) = (await contacts.find(world(), "Julia")).data["items"]
    assert (item["emails"], item["iban"]) == (["new@example.org", "julia@example.org"], IBAN)
    await contacts.take_back(world(), added.undo)
    assert file.read_bytes() == KHARD.encode()


async def test_another_account_goes_to_a_card_only_for_whom_the_old_one_names(world: Any, contacts: Any) -> None:
    other = "DE96100900002281904005"
    await contacts.add(world(), "Julia Novak", iban=IBAN)
    with pytest.raises(AskAgain) as question:
        await contacts.add(world(), "Julia Novak", iban=other)
    (choice,) = question.value.choices
    assert (await contacts.add(world(), choice, iban=other)).data == {"name": "Julia Novak", "iban": other}


async def test_undo_never_covers_what_was_changed_later(world: Any, contacts: Any) -> None:
    added = await contacts.add(world(), "Julia Novak", "julia@example.org")
    (file,) = world().folder.glob("*")
    file.write_text(file.read_text(encoding="utf-8").replace("julia@", "j@"), encoding="utf-8")
    with pytest.raises(Conflict):
        await contacts.take_back(world(), added.undo)
    assert "j@example.org" in file.read_text(encoding="utf-8")


async def test_what_is_known_already_and_what_the_profile_says_otherwise_is_refused(world: Any, contacts: Any) -> None:
    with pytest.raises(Rejected) as refusal:
        await contacts.add(world(), "Anna Schmidt", "other@example.org")
    assert "anna.schmidt@example.org" in sentence(refusal.value)
    with pytest.raises(Rejected):
        await contacts.add(world(), "Anna Schmidt", "ANNA.schmidt@example.org")
    assert (await contacts.add(world(), "sister", phone="110")).data == {"name": "Anna Schmidt", "phone": "110"}
    (item,) = (await contacts.find(world(), "sister")).data["items"]
    assert (item["email"], item["phone"]) == ("anna.schmidt@example.org", "110")


async def test_the_same_action_done_again_after_a_crash_makes_one_contact(world: Any, contacts: Any) -> None:
    ctx = world()
    await contacts.add(ctx, "Julia", "julia@example.org")
    with pytest.raises(Rejected):
        await contacts.add(ctx, "Julia", "julia@example.org")
    assert len(list(ctx.folder.glob("*"))) == 1


async def test_a_folder_of_the_users_own_is_used_and_a_file_that_is_no_text_is_named(
    world: Any, contacts: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "own" / "friends"
    folder.mkdir(parents=True)
    (folder / "j.vcf").write_text(KHARD, encoding="utf-8")
    (tmp_path / "own" / "bad.vcf").write_bytes(b"BEGIN:VCARD\xff\xfe")
    ctx = world(folder=str(tmp_path / "own"))
    assert (await contacts.find(ctx, "Julia")).data["items"][0]["phone"] == "+49 170 1"
    with pytest.raises(NotFound) as refusal:
        await contacts.find(ctx, "Zacharias")
    assert "bad.vcf" in sentence(refusal.value)


async def test_a_disk_that_takes_nothing_is_told_and_the_card_stays(
    world: Any, contacts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world().folder / "j.vcf").write_text(KHARD, encoding="utf-8")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SkillFailed) as failure:
        await contacts.add(world(), "Julia Novak", phone="0170 12")
    assert "No space left" in sentence(failure.value)
    assert [file.name for file in world().folder.iterdir()] == ["j.vcf"]
    assert (world().folder / "j.vcf").read_bytes() == KHARD.encode()


@given(name=WORDS, email=WORDS, phone=WORDS, iban=st.just(IBAN))
def test_what_is_written_is_read_back_and_no_line_is_too_long(name: str, email: str, phone: str, iban: str) -> None:
    text = write_card("u1", name, email=email, phone=phone, iban=iban)
    (card,) = read_cards(text)
    assert (card.name, card.ibans) == (name, (iban,))
    assert card.emails[0].endswith(email.removeprefix("mailto:"))
    assert card.phones[0].endswith(phone.removeprefix("tel:")[-1])
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


@given(email=WORDS.filter(lambda text: not text.lower().startswith("mailto:")))
def test_what_is_put_into_a_card_is_preferred_and_its_lines_stay(email: str) -> None:
    (card,) = read_cards(KHARD)
    text = extend_card(KHARD, card, email=email)
    assert read_cards(text)[0].person.email == email
    assert [line for line in text.split("\r\n") if line in KHARD.split("\r\n")] == KHARD.split("\r\n")


@given(st.text(max_size=300) | st.lists(st.sampled_from(KHARD.split("\r\n")), max_size=12).map("\n".join))
def test_no_text_is_too_broken_to_be_read(text: str) -> None:
    for card in read_cards(text):
        assert card.name


def test_cards_of_phones_and_other_programs_are_read() -> None:
    text = (
        "\ufeffBEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E7=8E=8B;=E4=\n=BC=9F;;;\n"
        "TEL;HOME:5\nTEL;CELL;PREF:123\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:4.0\nFN:Dr. Sara Haddad\nN:Haddad;Sara;;Dr.;\nNICKNAME:Sara,The\\, Doc\n"
        'TEL;VALUE=uri:tel:+1-23\nitem1.EMAIL;TYPE="home,work":sara@cli\n nic.example\nEND:VCARD\n'
        "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:Friends\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:3.0\nFN:\nN:;;;;\nORG:ACME;Sales\nEND:VCARD\nBEGIN:VCARD\nFN:cut"
    )
    wang, sara, acme = read_cards(text)
    assert (wang.name, wang.phones) == ("王伟", ("123", "5"))
    assert (sara.aliases, sara.phones, sara.emails) == (
        ("Sara", "The, Doc", "Sara Haddad"),
        ("+1-23",),
        ("sara@clinic.example",),
    )
    assert acme.name == "ACME Sales"


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=11, max_size=30), st.sampled_from(["DE", "NL", "GB"]))
def test_of_all_check_digits_exactly_those_of_the_standard_are_right(account: str, country: str) -> None:
    digits = "".join(str(int(one, 36)) for one in f"{account}{country}00")
    right = f"{country}{98 - int(digits) % 97:02}{account}"
    valid = [number for check in range(2, 99) if (number := parse_iban(f"{country}{check:02}{account}"))]
    assert valid == [right]
    assert parse_iban(format_iban(right).lower()) == right


def test_the_folder_is_read_again_when_a_file_in_it_changes_and_only_then(tmp_path: Path) -> None:
    profile, folder = tmp_path / "profile.yaml", tmp_path / "cards"
    users = UserFile(profile, lambda: [folder])
    assert users.current().contacts == ()
    folder.mkdir()
    (folder / "j.vcf").write_text(KHARD, encoding="utf-8")
    assert [person.name for person in users.current().contacts] == ["Julia Novak"]
    assert users.current() is users.current()
    profile.write_text("name: Mei\ncontacts:\n  - {name: julia novak, aliases: [Jule]}\n", encoding="utf-8")
    (person,) = users.current().contacts
    assert (person.aliases, person.email, users.current().name) == (("Jule",), "julia@example.org", "Mei")
    (folder / "j.vcf").write_text(KHARD.replace("julia@", "new@"), encoding="utf-8")
    assert users.current().contacts[0].email == "new@example.org"
    (folder / "j.vcf").unlink()
    profile.unlink()
    assert users.current().contacts == ()


def test_the_profile_counts_more_than_a_card_and_two_cards_of_a_name_stay_two() -> None:
    own = Person(name="Anna", email="a@x.org")
    cards = [Person(name="anna", email="b@x.org", phone="1"), Person(name="Bo", email="c@x.org"), Person(name="Bo")]
    assert merged([own], cards) == (Person(name="Anna", email="a@x.org", phone="1"), cards[1], cards[2])


async def test_whom_one_adds_is_known_to_the_whole_conversation(tmp_path: Path) -> None:
    async with talking(tmp_path, USER) as talk:
        crew = talk.services.skills
        assert "contacts" in crew.loaded
        folder = tmp_path / "data" / "skill-data" / "contacts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "j.vcf").write_text(KHARD, encoding="utf-8")
        events = await talk.say("send an email to Julia saying hello there")
        approval = next(event.approval for event in events if event.type == "approval-wanted")
        assert any("julia@example.org" in one.value for one in approval.prepared.fields)
