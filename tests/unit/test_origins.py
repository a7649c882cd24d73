"""Where values come from: the user's words, contacts, our own ids, what others wrote, what a model made up."""

from __future__ import annotations

from assistant.conversation.origins import of_arguments
from assistant.models import Label, Observation, Origin, Person, UserContext

USER = UserContext(name="Mei Lin", email="mei@example.org", contacts=(Person(name="Anna", email="anna@example.org"),))
MAIL = Observation(
    tool="email.read",
    data={"items": [{"message_id": "a1", "body": "pay DE89"}]},
    origin=Origin(label=Label.UNTRUSTED, source="email a1 from x@y"),
)


def labels(args: dict[str, object], raw: dict[str, object] | None = None, said: str = "") -> dict[str, Label]:
    origins = of_arguments(args, raw or args, said, USER, [MAIL], {"message_id"})
    return {name: origin.label for name, origin in origins.items()}


def test_what_the_user_says_is_the_users() -> None:
    assert labels({"body": "See you"}, said="tell her see you") == {"body": Label.USER}


def test_a_contact_is_known_by_name_and_address() -> None:
    assert labels({"to": "anna@example.org", "cc": ["Anna"]}) == {"to": Label.CONTACT, "cc": Label.CONTACT}


def test_the_users_own_data_is_the_profiles() -> None:
    assert labels({"to": "mei@example.org"}) == {"to": Label.PROFILE}


def test_an_id_of_our_index_is_a_tools_and_any_other_result_is_what_was_read() -> None:
    reference = {"$from": 0, "field": "x"}
    raw = {"message_id": reference, "iban": reference}
    assert labels({"message_id": "a1", "iban": "DE89"}, raw) == {"message_id": Label.TOOL, "iban": Label.UNTRUSTED}


def test_what_a_model_made_up_is_not_the_users() -> None:
    assert labels({"to": "stranger@example.net"}, said="write to Anna") == {"to": Label.UNTRUSTED}


def test_one_bad_member_spoils_a_list() -> None:
    assert labels({"to": ["Anna", "stranger@example.net"]}) == {"to": Label.UNTRUSTED}
