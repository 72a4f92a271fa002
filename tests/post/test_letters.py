from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest

from idp.language import Words
from idp.model import Brand, Letter, Link
from idp.post import Letters, Permanent, Rendered, Smtp
from idp.post.letters import NEEDS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BRAND = Brand(
    "Norda", phone="+44 20", home="https://norda.example/", links=(Link({"en": "Help", "it": "Aiuto"}, "https://h.example/"),)
)
CONTEXT = {
    "name": "Ada <b>",
    "username": "ada",
    "link": "https://id.example/invitation?code=AB-CD",
    "code": "AB-CD",
    "expires": (NOW + timedelta(hours=72)).isoformat(),
    "factor": "password",
    "until": (NOW + timedelta(minutes=30)).isoformat(),
    "client": "Portal",
    "zone": "Europe/Rome",
}
LETTERS = Letters(Words())


def told(template: str, locale: str = "en", **more: object) -> Rendered:
    return LETTERS.render(template, locale, CONTEXT | more, BRAND)


@pytest.mark.parametrize("template", NEEDS)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_each_letter_is_whole_in_each_language(template: str, locale: str) -> None:
    letter = told(template, locale)
    assert letter.subject
    assert "\n" not in letter.subject
    assert letter.html is not None
    assert f'<html lang="{locale}">' in letter.html
    for body in (letter.text, letter.html):
        assert "Norda" in body
        assert "+44 20" in body
        assert "https://h.example/" in body
        assert "https://norda.example/" in body
        assert "%(" not in body
        assert "{{" not in body
        assert "None" not in body
    assert "Ada &lt;b&gt;" in letter.html
    assert "Ada <b>" in letter.text
    assert "\n\n\n\n" not in letter.text


@pytest.mark.parametrize("template", NEEDS)
def test_italian_is_not_english(template: str) -> None:
    assert told(template, "it").text != told(template).text
    assert told(template, "it").subject != told(template).subject


@pytest.mark.parametrize("template", NEEDS)
def test_a_letter_needs_what_it_says_it_needs(template: str) -> None:
    LETTERS.render(template, "en", {name: CONTEXT[name] for name in NEEDS[template]}, BRAND)
    for lacking in NEEDS[template]:
        with pytest.raises(LookupError, match=lacking):
            LETTERS.render(template, "en", {name: CONTEXT[name] for name in NEEDS[template] - {lacking}}, BRAND)


def test_only_the_invitation_holds_a_secret() -> None:
    assert "AB-CD" in told("invitation").text
    for template in NEEDS.keys() - {"invitation"}:
        assert "AB-CD" not in told(template).text


def test_a_moment_is_told_on_the_persons_clock() -> None:
    assert "25 November, 13:00" in told("invitation").text
    assert "12:00 UTC" in told("invitation", zone="UTC").text
    assert "25 novembre" in told("invitation", "it").text


def test_the_words_of_a_lock_fit_what_happened() -> None:
    assert "wrong password" in told("locked").text
    assert "until 22 November, 13:30" in told("locked").text
    assert "knows your password" in told("locked", factor="pin").text
    assert "security question" in told("locked", factor="answer").text
    disabled = told("locked", until=None).text
    assert "contact us" in disabled
    assert "until" not in disabled


def test_an_unspoken_language_falls_back_and_a_name_adds_no_line() -> None:
    assert told("enrolled", "xx").text == told("enrolled").text
    assert "Hello Eve  Bcc: x@y," in told("enrolled", name="Eve\r\nBcc: x@y").text


def test_a_text_message_is_one_line() -> None:
    message = LETTERS.render("invitation", "en", CONTEXT, BRAND, "sms")
    assert message.html is None
    assert "\n" not in message.text
    assert CONTEXT["link"] in message.text
    with pytest.raises(LookupError):
        LETTERS.render("enrolled", "en", CONTEXT, BRAND, "sms")


def letter(to: str = "ada@customer.example", ident: str = "-abc_1") -> Letter:
    return Letter(ident, "mail", to, "invitation", "it", {}, NOW)


def test_the_message_as_it_is_sent() -> None:
    smtp = Smtp(host="x", port=1, sender="no-reply@norda.example", reply_to="help@norda.example")
    raw = smtp.compose(letter(), told("invitation", "it"), NOW).as_bytes()
    assert all(len(line) <= 998 and line.isascii() for line in raw.split(b"\r\n"))
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Message-ID"] == "<-abc_1@norda.example>"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "help@norda.example"
    parts = [part.get_content_type() for part in message.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    assert "AB-CD" in message.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    "to",
    [
        "a@x.example,b@y.example",
        "a@x.example\r\nBcc: b@y.example",
        "a@x.example\n",
        "a@x.example b@y.example",
        "Ada <a@x.example>",
        "ada",
        "@x.example",
        "a@",
        "",
        "a@x.example\x00",
    ],
)
def test_what_is_not_one_address_is_refused(to: str) -> None:
    with pytest.raises(Permanent):
        Smtp(host="x", port=1).compose(letter(to), told("enrolled"), NOW)


def test_a_subject_holds_no_line_break() -> None:
    with pytest.raises(Permanent):
        Smtp(host="x", port=1).compose(letter(), Rendered("a\r\nBcc: b@y.example", "text"), NOW)
