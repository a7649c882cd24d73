"""A yes alone pays nobody new: the end of the account is typed too, over the API, on the command line and in the chat.

A real daemon with a skill of the user's own that can pay. What it reads is scripted; everything else is as it ships.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from assistant.conversation.prompt import call_line
from tests.support.daemons import Daemon
from tests.support.skills import say_yes
from tests.support.terminal import readable

IBAN = "DE89370400440532013000"
GROUPED = "DE89 3704 0044 0532 0130 00"
MASKED = "DE8937040044053201••••"
MANIFEST = """\
name: purse
version: 0.1.0
api: 1
description: {en: Pays the gardener., zh: 付园丁的钱。}
tools:
  settle: {effect: money, sensitive: [to, amount], reaches: [to]}
permissions: {network: [], files: [], secrets: []}
"""
CODE = '''\
from __future__ import annotations

from decimal import Decimal

from assistant.skillkit import Context, Operation, Prepared, PreviewField, commit, tool


@tool
async def settle(ctx: Context, to: str, amount: Decimal) -> Prepared:
    """Settle the gardener's bill.

    to: the account
    amount: how much
    """
    fields = (PreviewField(name="To", value=to), PreviewField(name="Amount", value=f"{amount} EUR"))
    groups = " ".join(to[at : at + 4] for at in range(0, len(to), 4))
    return Prepared(title=f"{amount} EUR to {groups}", fields=fields, body=f"({to.lower()})", payload={"to": to})


@commit("settle")
async def done(ctx: Context, operation: Operation) -> str:
    (ctx.folder / "paid").open("a").write(operation.prepared.payload["to"] + "\\\\n")
    return "ref"
'''
STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
PROMPTS = ("elsewhere:", "为准）：", "l later", "l 稍后")
"""What stands before the cursor when something is to be typed."""
LANGUAGES = {
    "en": ("settle the gardener's bill, {amount} EUR for GROUPED", "last four characters", "to say yes, type"),
    "zh": ("settle 园丁的账单, {amount} EUR for GROUPED", "最后四位", "输入"),
}


def calls(*amounts: int) -> list[str]:
    return ["act: " + call_line("purse.settle", {"to": GROUPED, "amount": f"{amount} EUR"}) for amount in amounts]


class Purse(Daemon):
    """A daemon whose user has said yes to the skill."""

    def __init__(self, base: Path, *amounts: int) -> None:
        super().__init__(base, calls(*amounts), {"skills.purse.enabled": True, "approvals.hold_s": 0})
        folder = self.paths.skills / "purse"
        folder.mkdir(parents=True)
        (folder / "skill.yaml").write_text(MANIFEST, encoding="utf-8")
        (folder / "__init__.py").write_text(CODE.replace("\\\\", "\\"), encoding="utf-8")
        say_yes(self.paths, [folder])

    def ask_for(self, amount: int, language: str = "en") -> list[dict[str, Any]]:
        said = LANGUAGES[language][0].format(amount=amount).replace("GROUPED", GROUPED)
        return self.say(said, language=language)

    def pending(self) -> list[dict[str, Any]]:
        with self.client() as client:
            found: list[dict[str, Any]] = client.get("/v1/approvals").json()["items"]
            return found

    def decide(self, approval: dict[str, Any], language: str = "en", **body: str) -> Any:
        sent = {"decision": "approve", "bound_to": approval["bound_to"], **body}
        with self.client() as client:
            return client.post(f"/v1/approvals/{approval['id']}", json=sent, headers={"Accept-Language": language})

    def state(self, approval: dict[str, Any]) -> str:
        with self.client() as client:
            return str(client.get(f"/v1/approvals/{approval['id']}").json()["state"])

    def command(self, *arguments: str, typed: str | None = None) -> tuple[int, str]:
        """The command line; with `typed` at a terminal."""
        command = [sys.executable, "-m", "assistant", *arguments]
        if typed is None:
            done = subprocess.run(
                command,
                env={**self._environment, "COLUMNS": "200"},
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )
            return done.returncode, done.stdout + done.stderr
        master, slave = pty.openpty()
        process = subprocess.Popen(command, env=self._environment, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        seen, lines = b"", typed.splitlines(keepends=True)
        deadline = time.monotonic() + 90
        while process.poll() is None or readable(master, 0):
            assert time.monotonic() < deadline, seen.decode()
            if not readable(master, 0.2):
                continue
            try:
                seen += os.read(master, 65536)
            except OSError:
                break  # the terminal is closed: the command has ended
            plain = STYLE.sub("", seen.decode(errors="ignore")).rstrip()
            if lines and plain.endswith(PROMPTS):
                os.write(master, lines.pop(0).encode())
                seen += b"\n"
        os.close(master)
        return process.wait(30), seen.decode()


def texts(events: list[dict[str, Any]]) -> str:
    return "\n".join(
        str(event.get("text") or event.get("message") or "") for event in events if event["type"] != "turn-started"
    )


def unsaid(shown: str) -> bool:
    """Whether the whole account stands nowhere in it."""
    bare = "".join(filter(str.isalnum, shown)).upper()
    return IBAN not in bare


@pytest.mark.parametrize("language", LANGUAGES)
def test_over_the_api_a_yes_is_refused_and_the_right_end_pays_once(tmp_path: Path, language: str) -> None:
    with Purse(tmp_path, 40, 60, 700) as daemon:
        events = daemon.ask_for(40, language)
        assert LANGUAGES[language][2] in texts(events)
        shown = [event for event in events if event["type"] != "turn-started"]
        assert unsaid(json.dumps(shown)), shown
        [approval] = daemon.pending()
        assert approval["proof"] == MASKED
        assert LANGUAGES[language][1] in approval["reason"]
        assert unsaid(json.dumps(approval))

        missing = daemon.decide(approval, language)
        assert (missing.status_code, missing.json()["code"]) == (422, "approval.proof_wanted")
        assert missing.headers["content-type"] == "application/problem+json"
        assert LANGUAGES[language][1] in missing.json()["detail"]
        assert missing.json()["mend"]
        assert unsaid(missing.text)
        assert daemon.state(approval) == "pending"
        wrong = daemon.decide(approval, language, proof="9999")
        assert (wrong.status_code, wrong.json()["code"]) == (409, "approval.wrong_proof")
        assert wrong.json()["mend"]
        assert daemon.state(approval) == "pending"
        assert daemon.decide(approval, language, proof="0000", bound_to="other").json()["code"] == "approval.changed"

        right = daemon.decide(approval, language, proof="3000")
        assert right.status_code == 200, right.text
        assert daemon.state(approval) == "used"
        again = daemon.decide(approval, language, proof="3000")
        assert (again.status_code, again.json()["code"]) == (409, "approval.decided")
        with daemon.client() as client:
            entries = client.get("/v1/audit").json()["items"]
        assert "approval.wrong_proof" in [entry["kind"] for entry in entries]
        assert unsaid(json.dumps(entries))

        daemon.ask_for(60, language)  # known by now and within the limits
        [second] = daemon.pending()
        assert second["proof"] == ""
        assert daemon.decide(second, language).status_code == 200
        assert daemon.state(second) == "used"

        daemon.ask_for(700, language)  # more than limits.money_per_act
        [third] = daemon.pending()
        assert third["proof"] == MASKED
        assert daemon.decide(third, language).json()["code"] == "approval.proof_wanted"


def test_three_wrong_ends_are_a_no(tmp_path: Path) -> None:
    with Purse(tmp_path, 40) as daemon:
        daemon.ask_for(40)
        [approval] = daemon.pending()
        codes = [daemon.decide(approval, proof=end).json()["code"] for end in ("1111", "00", "XX89 3000")]
        assert codes == ["approval.wrong_proof", "approval.wrong_proof", "approval.wrong_proof_last"]
        assert daemon.state(approval) == "refused"
        assert daemon.decide(approval, proof="3000").json()["code"] == "approval.decided"
        with daemon.client() as client:
            assert client.get("/v1/outbox").json()["items"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_the_chat_the_end_answers_and_words_do_not_count_as_tries(tmp_path: Path, language: str) -> None:
    yes = {"en": "yes", "zh": "好的"}[language]
    with Purse(tmp_path, 40, 60) as daemon:
        daemon.ask_for(40, language)
        [approval] = daemon.pending()
        for word in {"en": (yes, "okay", "sure", yes), "zh": (yes, "可以", "行", yes)}[
            language
        ]:  # four letters are a word; a yes alone pays nothing
            assert LANGUAGES[language][1] in texts(daemon.say(word, language=language))
            assert daemon.state(approval) == "pending"
        assert "error" in [event["type"] for event in daemon.say("9999", language=language)]
        assert daemon.state(approval) == "pending"
        daemon.say({"en": "yes, 3000", "zh": "是，３０００。"}[language], language=language)
        assert daemon.state(approval) == "used"
        daemon.ask_for(60, language)
        [second] = daemon.pending()
        daemon.say(yes, language=language)
        assert daemon.state(second) == "used"


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_the_command_line_the_end_is_asked_for(tmp_path: Path, language: str) -> None:
    with Purse(tmp_path, 40, 700) as daemon:
        say = LANGUAGES[language][0].replace("GROUPED", GROUPED)
        tongue = ("--language", language)
        status, told = daemon.command(*tongue, "ask", say.format(amount=40))
        assert status == 3
        assert "--proof XXXX" in told
        assert unsaid(told), told
        [approval] = daemon.pending()
        short = approval["id"][:8]
        status, told = daemon.command(*tongue, "approvals", "list")
        assert {"en": "a yes and a proof", "zh": "账号后四位"}[language] in told
        assert unsaid(told), told
        status, told = daemon.command(*tongue, "approvals", "approve", short)
        assert (status, daemon.state(approval)) == (3, "pending")
        assert LANGUAGES[language][1] in told
        status, told = daemon.command(*tongue, "approvals", "approve", short, "--proof", "9999")
        assert (status, daemon.state(approval)) == (3, "pending")
        status, told = daemon.command(*tongue, "approvals", "approve", short, typed="0300\n3000\n")
        assert (status, daemon.state(approval)) == (0, "used"), told
        assert {"en": "as you know them from elsewhere:", "zh": "以您自己掌握的为准"}[language] in told

        status, told = daemon.command(*tongue, "ask", say.format(amount=700), typed="y\n3000\n")
        assert status == 0, told
        assert daemon.pending() == []
        with daemon.client() as client:
            assert len(client.get("/v1/outbox").json()["items"]) == 2
