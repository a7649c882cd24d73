"""A secret that was held once is in no log, no audit entry and no sentence."""

from __future__ import annotations

import base64
import json
import logging
import sys
from datetime import UTC, datetime
from urllib.parse import quote

from assistant.clock import FrozenClock
from assistant.concealed import conceal, redact
from assistant.errors import AccountError
from assistant.hardening import clean
from assistant.locale import Catalogue
from assistant.logs import JsonFormatter, PlainFormatter
from assistant.safety.audit import Audit
from assistant.store import open_database


def test_a_secret_is_redacted_in_every_spelling() -> None:
    secret = 'S3cr3t "pass"/ö'
    conceal(secret)
    auth = base64.b64encode(b"\0mei\0" + secret.encode()).decode()
    for text in (secret, json.dumps({"k": secret}), repr(secret), quote(secret, safe=""), secret.encode().hex()):
        told = redact(f"before {text} after")
        assert "•••" in told
        assert not [part for part in ("S3cr3t", "%22pass", secret.encode().hex()) if part in told]
    assert auth not in redact(f"AUTH PLAIN {auth}")
    plain = "the token bucket of the secret garden is at 9"
    assert redact(plain) == plain
    assert "abcdefgh" not in redact("Authorization: Bearer abcdefghijklmnop") + redact("password=abcdefghij")


def test_a_traceback_a_sentence_and_the_audit_say_it_failed_without_the_password() -> None:
    secret = "hunter2-of-mei-lin"
    conceal(secret)
    try:
        raise AccountError("skill.account", problem=f"535 bad credentials: {secret!r}")
    except AccountError as error:
        told = Catalogue().explain(error, "en")
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "login as %s", (secret,), sys.exc_info())
    db = open_database(":memory:")
    audit = Audit(db, FrozenClock(datetime(2026, 11, 23, tzinfo=UTC)))
    audit.record("action", problem=f"login with {secret} failed", args={"text": [secret]})
    (entry,) = audit.entries()
    assert audit.verify().ok
    kept = [*told, JsonFormatter().format(record), PlainFormatter().format(record), entry.model_dump_json()]
    assert [text for text in kept if secret in text] == []
    assert [text for text in kept[:1] + kept[2:] if "•••" not in text and "\\u2022" not in text] == []
    assert "Traceback" in kept[2]


def test_children_get_no_secrets_of_other_programs() -> None:
    given = {
        "PATH": "/bin",
        "GITHUB_TOKEN": "x",
        "OPENAI_API_KEY": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "DB_PASSWORD": "x",
        "CREDENTIALS_DIRECTORY": "/run/credentials/x",
        "ASSISTANT__ENGINE__MAX_OUTPUT_TOKENS": "16",
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert set(clean(given)) == {
        "PATH",
        "CREDENTIALS_DIRECTORY",
        "ASSISTANT__ENGINE__MAX_OUTPUT_TOKENS",
        "TOKENIZERS_PARALLELISM",
    }
