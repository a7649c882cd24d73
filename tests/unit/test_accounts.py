"""Accounts: the table of services, guessing servers, reading autoconfig, what servers' refusals mean. No network."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from xml.sax.saxutils import escape

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from assistant.accounts import autoconfig, browser, guess, wellknown
from assistant.accounts.names import Service, Unanswered
from assistant.accounts.oauth import Tokens
from assistant.accounts.problem import LoginProblem, network, one_line, refusal
from assistant.config import Config, drop, load, put
from assistant.locale import Catalogue
from assistant.remote import Account, Credential, OAuthClient, Place

# --- the table -------------------------------------------------------------------------------------------------


def test_every_row_of_the_table_is_whole() -> None:
    seen: dict[str, str] = {}
    for row in wellknown.providers():
        assert row.domains or row.mx, row.name
        assert row.imap_place, row.name
        assert row.smtp_place, row.name
        assert row.imap_place.security != "none"
        assert all(url.startswith("https://") for url in (row.caldav, row.carddav) if url), row.name
        assert "oauth" not in row.logins or row.oauth is not None, row.name
        if row.oauth is not None:
            row.oauth.of("x")
        for domain in row.domains:
            assert domain == domain.casefold()
            assert seen.setdefault(domain, row.name) == row.name, f"{domain} is in two rows"


def test_for_every_service_that_wants_a_made_password_there_are_words_how_to_get_it() -> None:
    catalogue = Catalogue()
    for row in wellknown.providers():
        door = row.imap_place
        assert door is not None
        for kind in ("app_password", "code", "oauth"):
            if kind in row.logins and row.hint:
                for language in ("en", "zh"):
                    assert catalogue.has(f"error.accounts.login_needs_{kind}_{row.hint}"), (row.name, kind)
                    assert catalogue.has(f"error.accounts.login_needs_{kind}_{row.hint}_mend"), (row.name, kind)
                    told = LoginProblem(f"needs_{kind}", host=door.host, port=door.port, user="a@b.c")  # type: ignore[arg-type]
                    assert told.code.endswith(row.hint), "the host of the row leads back to it"
                    assert "{" not in "".join(catalogue.explain(told, language))


@pytest.mark.parametrize(
    ("address", "name", "login"),
    [
        ("somebody@gmail.com", "gmail", "app_password"),
        ("a@GoogleMail.com", "gmail", "app_password"),
        ("a@hotmail.com", "outlook", "oauth"),
        ("10001@qq.com", "qq", "code"),
        ("a@foxmail.com", "qq", "code"),
        ("a@163.com", "netease163", "code"),
        ("a@126.com", "netease126", "code"),
        ("a@yeah.net", "yeah", "code"),
        ("a@icloud.com", "icloud", "app_password"),
        ("a@gmx.de", "gmx", "password"),
        ("a@posteo.de", "posteo", "password"),
    ],
)
def test_the_services_people_have_are_known(address: str, name: str, login: str) -> None:
    row = wellknown.by_address(address)
    assert row is not None
    assert (row.name, row.logins[0]) == (name, login)
    assert row.imap_place
    assert wellknown.by_host(row.imap_place.host) == row or row.name in ("outlook", "microsoft365")


def test_how_to_behave_follows_the_host_not_the_address() -> None:
    def at(host: str) -> wellknown.Quirks:
        return wellknown.quirks(Account(address="me@company.example", imap=Place(host=host, port=993)))

    assert (at("imap.gmail.com").files_sent, at("imap.163.com").files_sent) == (True, False)
    assert at("IMAP.163.COM").send_id
    assert at("imap.yeah.net").send_id
    assert at("imap.qq.com").poll_s >= 120
    assert (at("imap.qq.com").connections, at("imap.qq.com").idle) == (1, False)
    assert at("outlook.office365.com").files_sent
    assert at("imap.company.example") == wellknown.Quirks()
    assert at("127.0.0.1") == wellknown.Quirks()


@pytest.mark.parametrize(
    ("text", "host", "port", "security"),
    [
        ("imap.x.org", "imap.x.org", 993, "tls"),
        ("imap.x.org:143", "imap.x.org", 143, "starttls"),
        ("imap.x.org:1143/starttls", "imap.x.org", 1143, "starttls"),
        ("127.0.0.1:1143/none", "127.0.0.1", 1143, "none"),
        ("[::1]:993", "::1", 993, "tls"),
        ("[::1]", "::1", 993, "tls"),
    ],
)
def test_servers_are_written_as_people_write_them(text: str, host: str, port: int, security: str) -> None:
    assert wellknown.place(text) == Place(host=host, port=port, security=security)  # type: ignore[arg-type]
    assert wellknown.place("smtp.x.org", smtp=True).port == 465


@pytest.mark.parametrize("text", ["", ":993", "x:99999", "x:abc", "imap.x.org:143/none", "x/ssl"])
def test_servers_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        wellknown.place(text)


def test_names_of_accounts_become_names_of_folders(tmp_path: object) -> None:
    for name in ("work", "gmail2", "工作", "a-b_c"):
        Config.model_validate({"accounts": {name: {"address": "a@b.c"}}})
    for name in ("../x", "a/b", "a.b", "", "-x", "a b", "x" * 33):
        with pytest.raises(ValidationError):
            Config.model_validate({"accounts": {name: {"address": "a@b.c"}}})


# --- what refusals mean --------------------------------------------------------------------------------------------

QQ_PASSWORD, QQ_CODE, MADE = "my-qq-password", "abcdefghijklmnop", "abcd efgh ijkl mnop"
GMAIL_NO = "[AUTHENTICATIONFAILED] Invalid credentials (Failure)"
OUTLOOK_NO = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."


@pytest.mark.parametrize(
    ("host", "secret", "words", "code"),
    [
        ("imap.qq.com", QQ_PASSWORD, "LOGIN Login error or password error", "needs_code_qq"),
        ("imap.qq.com", QQ_CODE, "LOGIN Login error or password error", "refused"),
        (
            "imap.qq.com",
            QQ_CODE,
            "Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, "
            "or system is busy. More information at https://help.mail.qq.com/detail/108/1023",
            "needs_code_qq",
        ),
        ("smtp.qq.com", QQ_PASSWORD, "535 Login Fail. Please enter your authorization code to login.", "needs_code_qq"),
        ("imap.163.com", QQ_PASSWORD, "LOGIN Login error or password error", "needs_code_netease"),
        ("imap.163.com", QQ_CODE, "SELECT Unsafe Login. Please contact kefu@188.com for help", "unsafe"),
        ("smtp.163.com", QQ_CODE, "550 User has no permission", "imap_off"),
        ("imap.gmail.com", "secret", GMAIL_NO, "needs_app_password_gmail"),
        ("imap.gmail.com", MADE, GMAIL_NO, "refused"),
        ("imap.gmail.com", MADE, "Too many simultaneous connections. (Failure)", "too_many"),
        ("imap.mail.me.com", "secret", "[AUTHENTICATIONFAILED] Authentication Failed", "needs_app_password_icloud"),
        ("outlook.office365.com", "secret", "AUTHENTICATE failed.", "needs_oauth_microsoft"),
        ("smtp.office365.com", "secret", OUTLOOK_NO, "needs_oauth_microsoft"),
        ("mail.example.org", "secret", "[AUTHENTICATIONFAILED] Authentication failed.", "refused"),
        ("mail.example.org", "secret", "[UNAVAILABLE] Temporary authentication failure.", "throttled"),
        ("mail.example.org", "secret", "421 4.7.0 Too many login attempts, try again later", "throttled"),
    ],
)
def test_a_refusal_is_told_in_plain_words(host: str, secret: str, words: str, code: str) -> None:
    credential = Credential(user="me@x.org", secret=secret)  # type: ignore[arg-type]
    told = refusal(words, host, 993, credential)
    assert told.code == f"accounts.login_{code}"
    assert told.refused == (code == "refused" or code.startswith("needs_"))
    assert told.passing == (code in ("too_many", "throttled"))
    english, mend = Catalogue().explain(told, "en")
    assert english
    assert mend
    assert "{" not in english + mend
    assert secret not in english + mend


def test_qq_and_netease_users_hear_the_code_in_both_languages() -> None:
    credential = Credential(user="1@qq.com", secret=QQ_PASSWORD)  # type: ignore[arg-type]
    told = refusal("Login error", "imap.qq.com", 993, credential)
    english, mend = Catalogue().explain(told, "en")
    assert "your QQ password" in english
    assert "16-letter authorisation code" in english
    assert "mail.qq.com" in mend
    chinese, mend = Catalogue().explain(told, "zh")
    assert "16 位授权码" in chinese
    assert "生成授权码" in mend
    netease = refusal("Login error", "imap.163.com", 993, credential)
    assert "网易 163 邮箱 要用授权码登录" in Catalogue().explain(netease, "zh")[0]
    assert "NetEase 163 Mail wants" in Catalogue().explain(netease, "en")[0]


def test_a_bearer_token_is_never_taken_for_a_password() -> None:
    token = Credential(user="a", kind="bearer", secret="t")  # type: ignore[arg-type]
    assert refusal("AUTHENTICATE failed.", "outlook.office365.com", 993, token).reason == "refused"


@pytest.mark.parametrize(
    ("number", "reason"),
    [(9, "not_yet"), (10, "expired"), (62, "other_name"), (64, "other_name"), (18, "unknown"), (20, "unknown")],
)
def test_certificates_are_told_apart(number: int, reason: str) -> None:
    error = ssl.SSLCertVerificationError("x")
    error.verify_code, error.verify_message = number, "words"
    wrapped = RuntimeError("a library's own")
    wrapped.__cause__ = error
    assert network(wrapped, "h", 1).reason == f"certificate_{reason}"


@given(st.text(max_size=400))
def test_a_servers_words_are_one_short_printable_line(words: str) -> None:
    line = one_line(words)
    assert len(line) <= 200
    assert line.isprintable()


def test_a_servers_words_hold_no_secret() -> None:
    from assistant.concealed import conceal

    conceal("correct-horse-battery")
    assert "correct-horse" not in one_line("NO you said correct-horse-battery to me")


# --- guessing ----------------------------------------------------------------------------------------------------


class FakeNames:
    """A DNS of a few records."""

    def __init__(
        self, mx: Sequence[str] = (), srv: dict[str, tuple[str, int]] | None = None, txt: str = "", down: bool = False
    ) -> None:
        self._mx, self._srv, self._txt, self._down = mx, srv or {}, txt, down
        self.asked: list[str] = []

    async def mx(self, domain: str) -> Sequence[str]:
        self.asked.append(domain)
        if self._down:
            raise Unanswered("no network")
        return self._mx

    async def srv(self, name: str) -> Sequence[Service]:
        found = self._srv.get(name.split(".")[0])
        return [Service(priority=0, weight=0, port=found[1], host=found[0])] if found else []

    async def txt(self, name: str) -> Sequence[str]:
        return [self._txt] if self._txt else []


def web(pages: dict[str, httpx.Response]) -> autoconfig.Web:
    def answer(request: httpx.Request) -> httpx.Response:
        return pages.get(str(request.url).partition("?")[0], httpx.Response(404))

    return lambda: httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def nothing_opens(host: str, port: int, secure: bool) -> bool:
    return False


async def guessed(
    address: str,
    names: FakeNames,
    pages: dict[str, httpx.Response] | None = None,
    opens: guess.Opens = nothing_opens,
) -> guess.Guess:
    return await guess.servers(address, names=names, web=web(pages or {}), opens=opens)


async def test_a_known_service_asks_nobody() -> None:
    names = FakeNames(down=True)
    found = await guessed("1@qq.com", names)
    assert (found.how, found.provider and found.provider.name, names.asked) == ("table", "qq", [])


@pytest.mark.parametrize(
    ("mx", "name"),
    [
        ("aspmx.l.google.com", "gmail"),
        ("company-example.mail.protection.outlook.com", "microsoft365"),
        ("mxbiz1.qq.com", "exmail"),
        ("qiye163mx01.mxmail.netease.com", "netease_company"),
        ("mxn.mxhichina.com", "aliyun_company"),
        ("in1-smtp.messagingengine.com", "fastmail"),
    ],
)
async def test_a_companys_domain_is_known_by_its_mx(mx: str, name: str) -> None:
    found = await guessed("me@company.example", FakeNames(mx=[mx]))
    assert found.how == "mx"
    assert found.provider is not None
    assert (found.provider.name, found.imap) == (name, found.provider.imap_place)


async def test_a_look_alike_mx_is_nobodys() -> None:
    found = await guessed("me@company.example", FakeNames(mx=["mx.notgoogle.com", "google.com.evil.example"]))
    assert found.how == "nothing"


async def test_srv_names_the_servers_and_the_path() -> None:
    records = {
        "_imaps": ("mail.company.example", 993),
        "_submission": ("mail.company.example", 587),
        "_caldavs": ("dav.company.example", 8443),
        "_carddavs": ("dav.company.example", 443),
    }
    found = await guessed("me@company.example", FakeNames(srv=records, txt="path=/dav/"))
    assert found.imap == Place(host="mail.company.example", port=993)
    assert found.smtp == Place(host="mail.company.example", port=587, security="starttls")
    assert (found.caldav, found.carddav) == (
        "https://dav.company.example:8443/dav/",
        "https://dav.company.example/dav/",
    )
    assert (found.how, found.elsewhere) == ("srv", ())


async def test_servers_outside_the_domain_are_marked() -> None:
    records = {"_imaps": ("imap.hoster.example", 993), "_submissions": ("smtp.company.example.evil", 465)}
    found = await guessed("me@company.example", FakeNames(srv=records))
    assert found.elsewhere == ("imap.hoster.example", "smtp.company.example.evil")


CONFIG = """<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="x">
<incomingServer type="pop3"><hostname>pop.x</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>clear.x</hostname><port>143</port><socketType>plain</socketType>
<username>%EMAILADDRESS%</username></incomingServer>
<incomingServer type="imap"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType>
<authentication>OAuth2</authentication><authentication>password-cleartext</authentication>
<username>%EMAILLOCALPART%</username></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.x</hostname><port>587</port><socketType>STARTTLS</socketType>
<username>%EMAILADDRESS%</username></outgoingServer>
<calendar type="caldav"><serverURL>https://dav.x/cal</serverURL></calendar>
</emailProvider></clientConfig>"""


async def test_autoconfig_is_asked_of_the_domain_itself_over_tls() -> None:
    moved = httpx.Response(301, headers={"Location": "https://conf.company.example/c.xml"})
    pages = {
        "https://autoconfig.company.example/mail/config-v1.1.xml": moved,
        "https://conf.company.example/c.xml": httpx.Response(200, text=CONFIG),
    }
    found = await guessed("me@company.example", FakeNames(), pages)
    assert (found.how, found.user, found.logins) == ("autoconfig", "me", ("oauth", "password"))
    assert found.imap == Place(host="imap.company.example", port=993)
    assert found.smtp == Place(host="smtp.x", port=587, security="starttls")
    assert found.caldav == "https://dav.x/cal"
    for bad in ("http://conf.company.example/c.xml", "ftp://x", ""):
        downgraded = httpx.Response(302, headers={"Location": bad})
        pages["https://autoconfig.company.example/mail/config-v1.1.xml"] = downgraded
        assert (await guessed("me@company.example", FakeNames(), pages)).how == "nothing"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<",
        "<clientConfig/>",
        CONFIG.replace("SSL", "plain").replace("STARTTLS", "plain"),
        CONFIG.replace("imap.%EMAILDOMAIN%", "imap.x/../y").replace("smtp.x", "smtp x"),
        '<!DOCTYPE a [<!ENTITY b "x">]>' + CONFIG.partition("?>")[2],
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + CONFIG.partition("?>")[2].replace("smtp.x", "&b;"),
        "x" * 300_000,
    ],
)
async def test_autoconfig_that_is_no_good_is_passed_over(text: str) -> None:
    pages = {"https://autoconfig.company.example/mail/config-v1.1.xml": httpx.Response(200, text=text)}
    assert (await guessed("me@company.example", FakeNames(), pages)).imap is None


@given(st.binary(max_size=2000))
@example(CONFIG.encode())
@example(CONFIG.encode("utf-16"))
def test_reading_autoconfig_never_fails(content: bytes) -> None:
    found = autoconfig.read(content, "me@company.example")
    assert found is None or found.imap or found.smtp


words = st.text(max_size=60)


@given(words, words, words, words, words)
def test_no_published_word_makes_a_server_in_the_clear(
    host: str, port: str, security: str, user: str, way: str
) -> None:
    text = "<clientConfig><incomingServer type='imap'>"
    names = ("hostname", "port", "socketType", "username", "authentication")
    for name, value in zip(names, (host, port, security, user, way), strict=True):
        text += f"<{name}>{escape(value)}</{name}>"
    found = autoconfig.read(f"{text}</incomingServer></clientConfig>".encode("utf-8", "replace"), "me@company.example")
    if found is not None and found.imap is not None:
        assert found.imap.security in ("tls", "starttls")
        assert found.user.isprintable()
        assert "/" not in found.imap.host


async def test_the_usual_names_are_tried_at_last_and_only_a_good_certificate_counts() -> None:
    asked: list[tuple[str, int, bool]] = []

    async def opens(host: str, port: int, secure: bool) -> bool:
        asked.append((host, port, secure))
        return (host, port) in {("mail.company.example", 993), ("smtp.company.example", 587)}

    found = await guessed("me@company.example", FakeNames(), opens=opens)
    assert (found.how, found.imap) == ("tried", Place(host="mail.company.example", port=993))
    assert found.smtp == Place(host="smtp.company.example", port=587, security="starttls")
    assert all(secure for _, port, secure in asked if port in (993, 465))


async def test_calendars_at_the_well_known_address_are_noticed() -> None:
    pages = {
        "https://company.example/.well-known/caldav": httpx.Response(301, headers={"Location": "/dav/"}),
        "https://company.example/dav/": httpx.Response(401),
        "https://company.example/.well-known/carddav": httpx.Response(200, text="<html>our web site</html>"),
    }
    found = await guessed("me@company.example", FakeNames(), pages)
    assert (found.caldav, found.carddav, found.how) == ("https://company.example/.well-known/caldav", "", "tried")


async def test_offline_says_so_and_tries_nothing() -> None:
    async def opens(host: str, port: int, secure: bool) -> bool:
        raise AssertionError("nothing is tried without a network")

    assert (await guessed("me@company.example", FakeNames(down=True), opens=opens)).how == "offline"


async def test_a_domain_in_chinese_is_asked_for_as_it_travels() -> None:
    names = FakeNames()
    await guessed("我@例子.公司", names)
    assert names.asked == ["xn--fsqu00a.xn--55qx5d"]


# --- small things ------------------------------------------------------------------------------------------------


def test_pkce_is_the_standards_own_example() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert browser.challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_login_page_is_asked_for_with_what_the_service_wants() -> None:
    from urllib.parse import parse_qs, urlsplit

    from assistant.accounts.oauth import Endpoint

    row = wellknown.by_address("a@gmail.com")
    assert row is not None
    assert row.oauth is not None
    endpoint = Endpoint(row.oauth.of("mine"))
    url = browser.authorize_url(endpoint, "http://127.0.0.1:5/callback", "c", "s", "a@gmail.com")
    asked = parse_qs(urlsplit(url).query)
    assert asked["access_type"] == ["offline"]
    assert asked["code_challenge_method"] == ["S256"]
    assert (asked["state"], asked["redirect_uri"]) == (["s"], ["http://127.0.0.1:5/callback"])


@pytest.mark.parametrize(
    "redirect",
    ["https://127.0.0.1/cb", "http://evil.example/cb", "http://127.0.0.1:80/cb", "http://127.0.0.1/cb?x=1"],
)
def test_a_redirect_is_a_loopback_address_without_a_port(redirect: str) -> None:
    with pytest.raises(ValidationError):
        OAuthClient(client_id="x", token_url="https://x", redirect=redirect)


secrets = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=60)


@given(secrets, secrets, st.floats(0, 4e9), st.floats(0, 1e6))
def test_tokens_are_kept_and_read_back_whole(access: str, refresh: str, at: float, lives: float) -> None:
    tokens = Tokens(access_token=access, refresh_token=refresh, expires_at=at, lives_s=lives)  # type: ignore[arg-type]
    assert Tokens.load(tokens.dump()) == tokens


@pytest.mark.parametrize("text", ["", "a password", "{}", "[]", '{"access_token": 1}', '"x"', '{"a": '])
def test_a_password_is_never_taken_for_tokens(text: str) -> None:
    assert Tokens.load(text) is None


@given(st.floats(1, 1e5), st.floats(-1e6, 1e6))
def test_a_token_counts_only_while_the_clock_makes_sense(lives: float, passed: float) -> None:
    got = 1.7e9
    fresh = Tokens(access_token="t", expires_at=got + lives, lives_s=lives).fresh(got + passed)  # type: ignore[arg-type]
    if fresh:
        assert -60.001 <= passed < lives
    elif 0 <= passed:
        assert passed >= lives * 0.8 - 0.001 or passed >= lives - 60.001


def test_an_account_is_written_and_taken_out_and_comments_stay(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "config.yaml"
    file.write_text("# mine\nassistant:\n  name: Otto  # my choice\n", encoding="utf-8")
    account = Account(address="a@b.c", imap=Place(host="h", port=993))
    put(file, "accounts", "work", account.model_dump(mode="json", exclude_defaults=True))
    assert load(file, environment={}).config.accounts == {"work": account}
    assert "# my choice" in file.read_text(encoding="utf-8")
    drop(file, "accounts", "nothing")
    drop(file, "accounts", "work")
    assert load(file, environment={}).config.accounts == {}
    assert file.read_text(encoding="utf-8") == "# mine\nassistant:\n  name: Otto  # my choice\n"
