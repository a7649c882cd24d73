"""Why a login did not work, told from what servers say. Servers say it in many ways, and some of them untruly."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING, Literal

from assistant.concealed import redact
from assistant.errors import AccountError
from assistant.remote import Credential

if TYPE_CHECKING:
    from assistant.accounts import wellknown

Reason = Literal[
    "unreachable",
    "no_such_host",
    "certificate_expired",
    "certificate_not_yet",
    "certificate_unknown",
    "certificate_other_name",
    "no_tls",
    "refused",
    "needs_app_password",
    "needs_code",
    "needs_oauth",
    "imap_off",
    "too_many",
    "unsafe",
    "throttled",
    "other",
]

_PASSING: frozenset[Reason] = frozenset({"unreachable", "no_such_host", "too_many", "throttled"})
_HINTED: frozenset[Reason] = frozenset({"needs_app_password", "needs_code", "needs_oauth"})
_WORDS = 200

# The first line that fits counts. QQ answers every failure with one list of all possible causes.
_SAID: tuple[tuple[Reason, str], ...] = (
    ("unsafe", r"unsafe login"),
    (
        "needs_code",
        r"authori[sz](?:ation|ed) code|auth(?:\.|entication)? code|授权码|account is abnormal, service is not open",
    ),
    ("needs_app_password", r"app(?:lication)?[- ]specific|app password|application password|invalidsecondfactor"),
    ("needs_oauth", r"basic ?auth\w* (?:is )?(?:disabled|blocked)|5\.7\.139|basicauthblocked"),
    (
        "imap_off",
        r"not enabled for imap|imap (?:access |service )?(?:is )?(?:disabled|not enabled|not open)"
        r"|service is not open|authenticated but not connected|has no permission|imap服务",
    ),
    (
        "too_many",
        r"too many (?:simultaneous |concurrent |open )?(?:connections|sessions)"
        r"|connection limit|maximum number of connections|\[limit\]",
    ),
    (
        "throttled",
        r"too many (?:failed |login |bad )?(?:login|auth|attempt|invalid|request)|rate.?limit|throttl|frequen"
        r"|try (?:again )?later|\[unavailable\]|\[inuse\]|temporar|bandwidth limit|system busy|system is busy|4\.7\.0",
    ),
    ("no_tls", r"\[privacyrequired\]|must issue a starttls|encryption required|logindisabled"),
)
_VERIFY: dict[int, Reason] = {
    9: "certificate_not_yet",
    10: "certificate_expired",
    62: "certificate_other_name",
    64: "certificate_other_name",
}
"""Codes of OpenSSL's x509_vfy.h; every other one means that nobody who is trusted vouches for the certificate."""


class LoginProblem(AccountError):
    """A server could not be logged in to. Data: host, port, user, provider, words (the server's own)."""

    def __init__(
        self, reason: Reason, *, host: str, port: int, user: str = "", words: str = "", token: bool = False
    ) -> None:
        from assistant.accounts import wellknown

        self.reason = reason
        self.host = host
        self.words = one_line(words).rstrip(" .。")
        known = wellknown.by_host(host, port)
        hint = f"_{known.hint}" if known and known.hint and reason in _HINTED else ""
        if token and reason == "refused":
            hint = "_token"
        data = {"host": host, "port": port, "user": user, "provider": known.title if known else host}
        super().__init__(f"accounts.login_{reason}{hint}", **data, words=self.words or "–")

    @property
    def refused(self) -> bool:
        """Whether it is the password or token that was turned down: only that goes to `Accounts.credential`."""
        return self.reason == "refused" or self.reason in _HINTED

    @property
    def passing(self) -> bool:
        """Whether the same login may well work later. Anything else is not tried again with the same secret."""
        return self.reason in _PASSING


def one_line(words: str) -> str:
    """A server's words as one short line without secrets."""
    return redact(" ".join("".join(one if one.isprintable() else " " for one in words).split()))[:_WORDS]


def said(words: str) -> Reason | None:
    """What a server's words mean, where they mean something."""
    return next((reason for reason, pattern in _SAID if re.search(pattern, words, re.IGNORECASE)), None)


def refusal(words: str, host: str, port: int, credential: Credential) -> LoginProblem:
    """What a server's NO means, by its words, and by what the service is known to want."""
    from assistant.accounts import wellknown

    def problem(reason: Reason) -> LoginProblem:
        token = credential.kind == "bearer"
        return LoginProblem(reason, host=host, port=port, user=credential.user, words=words, token=token)

    known = wellknown.by_host(host, port)
    reason = said(words)
    if reason is not None:
        return problem("needs_app_password" if reason == "needs_code" and _wants(known, "app_password") else reason)
    if credential.kind == "password" and known is not None and not _looks_made(credential.secret.get_secret_value()):
        if _wants(known, "code"):
            return problem("needs_code")
        if _wants(known, "app_password"):
            return problem("needs_app_password")
        if known.logins == ("oauth",):
            return problem("needs_oauth")
    if credential.kind == "password" and known is not None and known.logins == ("oauth",):
        return problem("needs_oauth")
    return problem("refused")


def network(error: BaseException, host: str, port: int) -> LoginProblem:
    """What kept the connection from coming about, out of an error or what caused it."""
    every = causes(error)
    for cause in every:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = _VERIFY.get(cause.verify_code, "certificate_unknown")
            return LoginProblem(reason, host=host, port=port, words=cause.verify_message or str(cause))
    for cause in every:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return LoginProblem("no_tls", host=host, port=port, words=cause.reason or str(cause))
    for cause in every:
        if isinstance(cause, socket.gaierror):
            unknown = cause.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5))
            reason = "no_such_host" if unknown else "unreachable"
            return LoginProblem(reason, host=host, port=port, words=cause.strerror or str(cause))
    return LoginProblem("unreachable", host=host, port=port, words=str(error) or type(error).__name__)


def causes(error: BaseException | None) -> list[BaseException]:
    """An error and what led to it, the last first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _wants(known: wellknown.Provider | None, kind: wellknown.Login) -> bool:
    return known is not None and known.logins[0] == kind


def _looks_made(secret: str) -> bool:
    """Whether a secret looks like one that a service made for a program: 16 letters or digits, maybe in groups."""
    return bool(re.fullmatch(r"[A-Za-z0-9]{16}", secret.replace(" ", "").replace("-", "")))
