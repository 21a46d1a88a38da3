"""Who looks: signed in with an issuer (OpenID Connect, PKCE), or with a token of a server that has tokens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from admin.token import add_token
from tests.browser.conftest import LAN, serve_anew, watch
from tests.browser.dashboard import ServedLog, Watched
from tests.browser.issuer import CLIENT, Issuer
from tests.support.serving import served

SCOPE = "openid events:read audits:write"


@dataclass
class Guarded:
    """A log that wants tokens, and one that it knows."""

    log: ServedLog
    token: str


@pytest.fixture(scope="module")
def guarded(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = Path(tmp_path_factory.mktemp("log"))
    token = add_token(folder / "tokens.json", "viewer", ["events:read", "audits:write"], None)
    with serve_anew(mongo_uri, folder, tokens=str(folder / "tokens.json")) as log:
        log.append({"event_id": "a"})
        yield Guarded(log, token)


@pytest.fixture
def issuer(guarded: Guarded) -> Iterator[Issuer]:
    """An issuer of tokens that the log knows; the page is told of it while it is there."""
    issuer = Issuer(guarded.token)
    settings = guarded.log.app.state.connection.settings
    with served(issuer.app(guarded.log.url)) as issuer.url:
        settings.sign_in_issuer, settings.sign_in_client = issuer.url, CLIENT
        yield issuer
    settings.sign_in_issuer = None


@pytest.fixture
def look(browser: Browser, guarded: Guarded) -> Iterator[Watched]:
    with watch(browser, guarded.log.url) as look:
        yield look


@pytest.fixture
def signing(browser: Browser, guarded: Guarded, issuer: Issuer) -> Iterator[Page]:
    """A page that may ask the issuer, too."""
    with watch(browser, guarded.log.url, issuer.url) as look:
        yield look.page


def test_a_viewer_signs_in_and_is_back_where_they_were(signing: Page, guarded: Guarded, issuer: Issuer) -> None:
    signing.goto(f"{guarded.log.url}/?view=events&event=a")
    expect(signing.locator("#detail .facts")).to_contain_text("0 in main")
    assert signing.url == f"{guarded.log.url}/?chain=main&view=events&event=a"
    (asked,) = issuer.asked
    assert asked["redirect_uri"] == f"{guarded.log.url}/"
    assert (asked["scope"], asked["prompt"], asked["code_challenge_method"]) == (SCOPE, "none", "S256")


def test_the_token_survives_a_reload_and_not_the_tab(signing: Page, guarded: Guarded, issuer: Issuer) -> None:
    signing.goto(guarded.log.url)
    expect(signing.locator(".tile").first).to_contain_text("1")
    signing.reload()
    expect(signing.locator(".tile").first).to_contain_text("1")
    assert len(issuer.asked) == 1
    assert signing.evaluate("JSON.stringify(localStorage)").count(guarded.token) == 0


def test_the_live_view_sends_the_token(signing: Page, guarded: Guarded) -> None:
    signing.goto(f"{guarded.log.url}/?view=events&live=on")
    expect(signing.locator("#events-status")).to_contain_text("Live")


def test_the_policy_permits_the_issuer_and_nobody_else(signing: Page, guarded: Guarded, issuer: Issuer) -> None:
    answer = signing.goto(guarded.log.url)
    assert answer is not None
    policy = answer.header_value("content-security-policy") or ""
    assert re.search(r"connect-src ([^;]*)", policy)[1] == f"'self' {issuer.url}"  # type: ignore[index]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"state": "another"}, "not begun here"),
        ({"error": "access_denied", "error_description": "Not you."}, "Not you."),
        ({"code": "another"}, "no token"),
    ],
)
def test_a_return_that_is_not_what_was_begun_is_refused(
    signing: Page, guarded: Guarded, issuer: Issuer, answer: dict[str, str], words: str
) -> None:
    issuer.answer = answer
    signing.goto(f"{guarded.log.url}/?view=audits")
    expect(signing.get_by_role("alert")).to_contain_text(words)
    assert signing.evaluate("sessionStorage.getItem('token')") is None
    issuer.answer = {}
    signing.get_by_role("button", name="Try again").click()
    expect(signing.get_by_role("heading", name="Audits")).to_be_visible()


def test_a_code_from_nowhere_is_not_exchanged(signing: Page, guarded: Guarded, issuer: Issuer) -> None:
    signing.goto(f"{guarded.log.url}/?code=c&state=s")
    expect(signing.get_by_role("alert")).to_contain_text("not begun here")
    assert issuer.asked == []


def test_an_issuer_that_says_it_is_another_is_refused(signing: Page, guarded: Guarded, issuer: Issuer) -> None:
    issuer.name = "https://issuer.example.com"
    signing.goto(guarded.log.url)
    expect(signing.get_by_role("alert")).to_contain_text("can’t be found")
    assert issuer.asked == []


def test_a_new_token_that_the_log_refuses_is_not_asked_for_again_and_again(
    signing: Page, guarded: Guarded, issuer: Issuer
) -> None:
    issuer.token = "unknown"
    signing.goto(guarded.log.url)
    expect(signing.get_by_role("alert")).to_be_visible()
    assert len(issuer.asked) == 1


def test_a_token_that_ran_out_is_renewed(signing: Page, guarded: Guarded, issuer: Issuer) -> None:
    signing.goto(guarded.log.url)
    expect(signing.locator(".tile").first).to_contain_text("1")
    signing.evaluate("sessionStorage.setItem('token', 'ran out')")
    signing.get_by_role("link", name="Audits").click()
    expect(signing.get_by_role("heading", name="Run an audit")).to_be_visible()
    assert len(issuer.asked) == 2


def test_who_signs_out_is_not_signed_in_again_unasked(signing: Page, guarded: Guarded, issuer: Issuer) -> None:
    signing.goto(guarded.log.url)
    signing.get_by_role("button", name="Sign out").click()
    expect(signing.locator("main")).to_contain_text("You are signed out")
    assert signing.evaluate("sessionStorage.getItem('token')") is None
    assert len(issuer.asked) == 1
    signing.get_by_role("button", name="Sign in").click()
    expect(signing.locator(".tile").first).to_contain_text("1")


def test_what_is_refused_while_somebody_signs_out_does_not_sign_them_in_again(
    signing: Page, guarded: Guarded, issuer: Issuer
) -> None:
    """The button removes the token, and the page asks without one until it is left."""
    signing.goto(guarded.log.url)
    expect(signing.locator(".tile").first).to_contain_text("1")
    signing.evaluate("sessionStorage.removeItem('token'); sessionStorage.setItem('signed-out', 'yes')")
    signing.get_by_role("link", name="Audits").click()
    expect(signing.get_by_role("alert").first).to_be_visible()
    assert len(issuer.asked) == 1
    assert signing.evaluate("sessionStorage.getItem('signed-out')") == "yes"


NEEDS_HTTPS = re.compile("This needs https or localhost")


def test_a_page_from_another_machine_over_plain_http_says_what_it_needs(
    browser: Browser, guarded: Guarded, issuer: Issuer
) -> None:
    """There the browser gives no cryptography. All else works, hashes can be copied, and nothing is said of the log."""
    home = guarded.log.url.replace("127.0.0.1", LAN)
    with watch(browser, home) as look:
        page = look.open()
        expect(page.get_by_role("alert")).to_contain_text(NEEDS_HTTPS)  # before it leaves for the issuer
        assert issuer.asked == []
        guarded.log.app.state.connection.settings.sign_in_issuer = None
        page = look.open(view="events", event="a")
        page.get_by_label("Token").fill(guarded.token)
        page.get_by_role("button", name="Enter").click()
        expect(page.locator("#detail .facts")).to_contain_text("0 in main")
        page.get_by_role("button", name="Verify in my browser").click()
        expect(page.get_by_role("alert")).to_have_text(NEEDS_HTTPS)
        expect(page.locator(".verification")).to_have_count(0)
        copied = copy_hash(page)
        page.get_by_role("link", name="Keys").click()
        expect(page.locator("#insecure")).to_have_text(NEEDS_HTTPS)
        page.locator("#vkey").press("Control+V")
        expect(page.locator("#vkey")).to_have_value(copied)
        page.fill("#vkey", guarded.log.vkey)
        page.get_by_role("button", name="Pin", exact=True).click()
        expect(page.get_by_role("alert")).to_have_text(NEEDS_HTTPS)
        page.get_by_role("link", name="Overview", exact=True).click()
        expect(page.locator(".tile").first).to_contain_text("1")
        ignored = "The Cross-Origin-Opener-Policy header has been ignored, because the URL's origin was untrustworthy"
        look.troubles[:] = [trouble for trouble in look.troubles if ignored not in trouble]


def copy_hash(page: Page) -> str:
    """Click on a hash, and copy what that selects; it is the whole hash, of which only a part is seen."""
    shown = page.locator("#detail .facts .hash").last
    text = shown.text_content() or ""
    assert re.fullmatch("[0-9a-f]{64}", text)
    assert shown.evaluate("shown => shown.scrollWidth > shown.clientWidth")
    shown.click()
    assert page.evaluate("getSelection().toString()") == text
    page.keyboard.press("Control+C")
    return text


def test_a_server_with_tokens_asks_for_one(look: Watched, guarded: Guarded) -> None:
    page = look.open()
    expect(page.get_by_label("Token")).to_be_focused()
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("form")).to_contain_text("Token not accepted")
    page.get_by_label("Token").fill(guarded.token)
    page.get_by_role("button", name="Enter").click()
    expect(page.locator(".tile").first).to_contain_text("1")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
