"""Every sentence of the skills' tables, through the whole planner: hundreds, so they are not among the quick tests."""

from __future__ import annotations

from pathlib import Path

from assistant.conversation.examples import read_rows
from assistant.memory.users import read_user
from assistant.models import UserContext
from assistant.resources import bundled
from tests.support.talk import NOW, talking


def examples() -> list[tuple[str, dict[str, object]]]:

    return [
        (file.parent.name, row)
        for file in sorted(bundled("skills").glob("*/examples.jsonl"))
        for row in read_rows(file)
    ]


async def test_every_skills_example_sentences_are_understood(tmp_path: Path) -> None:
    wrong = []
    mei = read_user(bundled("profile") / "sample.yaml")
    async with talking(tmp_path, UserContext(), lambda _: "reply: ?") as talk:
        for skill, row in examples():
            expected = row.get("calls") or [{"tool": row["tool"], "args": row.get("args", {})}]
            plan = await talk.services.conversation.plan(str(row["text"]), now=NOW, user=mei, language=str(row["lang"]))
            found = [{"tool": call.tool, "args": call.args} for call in plan.calls]
            if plan.via != "intent" or not same(found, expected):  # type: ignore[arg-type]
                wrong.append((skill, row["text"], plan.kind, plan.via, found, expected))
    assert not wrong, f"{len(wrong)} of {len(examples())}:\n" + "\n".join(map(str, wrong))


def same(found: list[dict[str, object]], expected: list[dict[str, object]]) -> bool:
    if [call["tool"] for call in found] != [call["tool"] for call in expected]:
        return False
    return all(
        plainly(one["args"].get(name)) == plainly(value)  # type: ignore[attr-defined]
        for one, other in zip(found, expected, strict=True)
        for name, value in (other.get("args") or {}).items()  # type: ignore[attr-defined]
    )


def plainly(value: object) -> object:
    """A reference by the call it points to; all else without case."""
    return value["$from"] if isinstance(value, dict) else str(value).casefold()
