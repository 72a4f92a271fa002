from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.headerregistry import Address

import pytest

from idp.language import Words
from idp.model import Brand, Changed, Letter, Link
from idp.post import Letterhead, Letters, Permanent, Rendered
from idp.post.letters import NEEDS, TEMPLATES
from idp.post.mail import mailbox

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINK = "https://id.norda.example/not-me?code=ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345-6789"
BRAND = Brand(
    "Norda", phone="+44 20", home="https://norda.example/", links=(Link({"en": "Help", "it": "Aiuto"}, "https://h.example/"),)
)
CONTEXT = {
    "name": "Ada <b>",
    "username": "ada",
    "link": "https://id.example/way",
    "code": "493027",
    "expires": (NOW + timedelta(hours=72)).isoformat(),
    "factor": "password",
    "until": (NOW + timedelta(minutes=30)).isoformat(),
    "client": "Portal",
    "password": "lusab-babad-gutih-tugad-mudor",
    "pin": "190476",
    "must_change": True,
    "changed": "second_factor",
    "at": NOW.isoformat(),
    "ends": (NOW + timedelta(days=30)).isoformat(),
    "last_used": (NOW - timedelta(days=90)).isoformat(),
    "by": "person",
    "goes": (NOW + timedelta(days=14)).isoformat(),
    "service": "billing",
    "taken": "email",
    "recover": "https://id.example/back",
    "zone": "Europe/Rome",
}
LETTERS = Letters(Words())
CHANGES = [changed.value for changed in Changed]
TEXTED = {path.name.partition(".")[0] for path in TEMPLATES.glob("*.sms.txt")}
# Which letters hold which secret; no other does.
SECRETS = {
    "link": {
        "invitation",
        "username_reminder",
        "temporary_password",
        "changed",
        "frozen",
        "suspension_reminder",
        "expiry_reminder",
        "reactivated",
        "exported",
        "cancelled",
        "kept",
        "service_cancelled",
        "registration_code",
        "already_registered",
    },
    "code": {"registration_code", "invitation", "recovery_code", "confirm_address", "reactivation_code", "extra_code"},
    "password": {"temporary_password"},
    "pin": {"new_pin"},
}
# GSM 03.38: with any other character a text message holds 70 characters instead of 160.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)


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
    # Nothing that somebody typed stands in what goes to an address that nobody has confirmed.
    assert ("Ada &lt;b&gt;" in letter.html) is (template != "registration_code")
    assert ("Ada <b>" in letter.text) is (template != "registration_code")
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


@pytest.mark.parametrize("locale", ["en", "it"])
@pytest.mark.parametrize("template", NEEDS)
def test_a_secret_stands_only_where_it_belongs(template: str, locale: str) -> None:
    letter = told(template, locale)
    for secret, holders in SECRETS.items():
        value = str(CONTEXT[secret])
        assert (value in letter.text) is (template in holders)
        assert (value in letter.html) is (template in holders)
        assert value not in letter.subject


@pytest.mark.parametrize("template", NEEDS)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_the_voice_of_a_letter(template: str, locale: str) -> None:
    letter = told(template, locale)
    assert "!" not in letter.subject + letter.text
    assert len(letter.subject) <= 60


@pytest.mark.parametrize("locale", ["en", "it"])
def test_what_is_read_aloud_or_copied_has_a_line_of_its_own(locale: str) -> None:
    for template, secret in (
        ("temporary_password", "password"),
        ("new_pin", "pin"),
        ("recovery_code", "code"),
        ("confirm_address", "code"),
        ("reactivation_code", "code"),
        ("extra_code", "code"),
        ("registration_code", "code"),
        ("registration_code", "link"),
        ("already_registered", "link"),
        ("already_registered", "recover"),
        ("exported", "link"),
        ("suspension_reminder", "link"),
        ("expiry_reminder", "link"),
        ("reactivated", "link"),
        ("username_reminder", "username"),
        ("changed", "link"),
        ("frozen", "link"),
    ):
        letter = told(template, locale)
        assert str(CONTEXT[secret]) in letter.text.split("\n")
        assert f">{CONTEXT[secret]}</" in letter.html


def test_a_moment_is_told_on_the_persons_clock() -> None:
    assert "25 November, 13:00" in told("invitation").text
    assert "12:00 UTC" in told("invitation", zone="UTC").text
    assert "25 novembre" in told("invitation", "it").text


def test_the_words_of_a_lock_fit_what_happened() -> None:
    assert "wrong password" in told("locked").text
    assert "until 22 November, 13:30" in told("locked").text
    assert "knows your password" in told("locked", factor="pin").text
    assert "security question" in told("locked", factor="answer").text
    assert "knows your password" in told("locked", factor="totp").text
    assert "passkey that is not yours" in told("locked", factor="passkey").text
    disabled = told("locked", until=None).text
    assert "contact us" in disabled
    assert "until" not in disabled


def test_an_unspoken_language_falls_back_and_a_name_adds_no_line() -> None:
    assert told("enrolled", "xx").text == told("enrolled").text
    assert "Hello Eve  Bcc: x@y," in told("enrolled", name="Eve\r\nBcc: x@y").text


def test_the_words_of_a_temporary_password() -> None:
    assert "Your username is ada" in told("temporary_password").text
    assert "username" not in told("temporary_password", username=None).text
    for locale, words in (("en", "old password still works"), ("it", "la password precedente resta valida")):
        assert words in told("temporary_password", locale).text


def test_the_words_of_a_new_pin_fit_what_must_be_done_with_it() -> None:
    assert "by 25 November, 13:00" in told("new_pin").text
    stays = told("new_pin", must_change=False, expires=None).text
    assert "sign in with it" not in stays
    assert "25 November" not in stays


def test_a_reminder_tells_the_day_on_the_persons_calendar() -> None:
    late = datetime(2026, 12, 22, 23, 30, tzinfo=UTC).isoformat()
    for template in ("suspension_reminder", "expiry_reminder"):
        assert "not before Wednesday 23 December 2026" in told(template, ends=late).text
        assert "not before Tuesday 22 December 2026" in told(template, ends=late, zone="UTC").text
        assert "non prima di mercoledì 23 dicembre 2026" in told(template, "it", ends=late).text
        assert "since Monday 24 August 2026" in told(template).text
        assert "not before" not in told(template, ends=None).text
        assert "If it stays unused" in told(template, ends=None).text


@pytest.mark.parametrize("template", ["suspension_reminder", "expiry_reminder"])
def test_a_reminder_goes_by_mail_only(template: str) -> None:
    with pytest.raises(LookupError):
        LETTERS.render(template, "en", CONTEXT, BRAND, "sms")


def test_the_words_of_a_reactivation_fit_whoever_did_it() -> None:
    assert "with your password and one more proof" in told("reactivated").text
    assert "knows your password" in told("reactivated").text
    by_staff = told("reactivated", by="staff").text
    assert "our staff reactivated" in by_staff
    assert "Was it you?" not in by_staff
    assert "il nostro personale" in told("reactivated", "it", by="staff").text


@pytest.mark.parametrize("locale", ["en", "it"])
def test_what_was_changed_is_named_in_subject_text_and_message(locale: str) -> None:
    subjects = set()
    for changed in CHANGES:
        letter = told("changed", locale, changed=changed, link=LINK)
        message = LETTERS.render("changed", locale, CONTEXT | {"changed": changed, "link": LINK}, BRAND, "sms").text
        assert letter.text.count(letter.subject) == 1
        assert letter.html.count(letter.subject) == 2
        assert letter.subject in message
        assert len(message) <= 160
        subjects.add(letter.subject)
    assert len(subjects) == len(CHANGES)


@pytest.mark.parametrize(("service", "named", "nominato"), [("billing", "Bills", "Bollette"), ("tv", "tv", "tv")])
def test_a_service_is_named_as_pages_name_it(service: str, named: str, nominato: str) -> None:
    assert told("service_cancelled", service=service).subject == f"You have cancelled: {named}"
    assert told("service_cancelled", "it", service=service).subject == f"Ha disdetto: {nominato}"


@pytest.mark.parametrize("locale", ["en", "it"])
@pytest.mark.parametrize("template", sorted(TEXTED))
def test_a_text_message_is_one_line_of_plain_characters(template: str, locale: str) -> None:
    message = LETTERS.render(template, locale, CONTEXT | {"link": LINK}, BRAND, "sms")
    assert message.html is None
    assert message.text.startswith("Norda: ")
    assert set(message.text) <= GSM - {"\n", "\r"}
    assert (LINK in message.text) is (template in SECRETS["link"] - {"registration_code"})
    assert (CONTEXT["code"] in message.text) is (template in SECRETS["code"] - {"invitation"})
    assert len(message.text) <= (160 if template != "invitation" else 306)


def test_only_some_letters_are_text_messages() -> None:
    assert sorted(TEXTED) == [
        "cancelled",
        "changed",
        "confirm_address",
        "extra_code",
        "frozen",
        "invitation",
        "reactivated",
        "reactivation_code",
        "recovery_code",
        "registration_code",
    ]
    with pytest.raises(LookupError):
        LETTERS.render("enrolled", "en", CONTEXT, BRAND, "sms")


def letter(to: str = "ada@customer.example", ident: str = "-abc_1") -> Letter:
    return Letter(ident, "mail", to, "invitation", "it", {}, NOW)


def test_the_message_as_it_is_sent() -> None:
    head = Letterhead("no-reply@norda.example", "Nörda, the “utility”", "help@norda.example")
    raw = head.compose(letter(), told("invitation", "it"), NOW)
    assert raw.endswith(b"\r\n")
    assert all(len(line) <= 100 and line.isascii() for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    message = message_from_bytes(raw, policy=policy.default)
    assert [part.defects for part in message.walk()] == [[], [], []]
    assert all(not value.defects for value in message.values())
    assert message["From"].addresses == (Address("Nörda, the “utility”", addr_spec="no-reply@norda.example"),)
    assert message["To"] == "ada@customer.example"
    assert message["Message-ID"] == "<-abc_1@norda.example>"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "help@norda.example"
    assert message["Content-Language"] == "it"
    parts = [part.get_content_type() for part in message.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == told("invitation", "it").text
    assert message.get_body(("html",)).get_content().replace("\r\n", "\n") == told("invitation", "it").html.rstrip("\n") + "\n"


@pytest.mark.parametrize("template", NEEDS)
@pytest.mark.parametrize("locale", ["en", "it"])
def test_each_letter_arrives_as_it_was_written(template: str, locale: str) -> None:
    written = told(template, locale)
    message = message_from_bytes(Letterhead("a@b.example").compose(letter(), written, NOW), policy=policy.default)
    assert message["Subject"] == written.subject
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == written.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        ".",
        "..\n.\nFrom here\n",
        "=_-abc_1",
        "--=_-abc_1--\n",
        "a" * 5000,
        "è" * 3000,
        "trailing \nspaces\t\n-- \n",
        "lone\rreturn\r\nand line",
        "\U0001f600 \u2028 \ud800",
    ],
)
def test_no_text_breaks_a_message(text: str) -> None:
    raw = Letterhead("a@b.example").compose(letter(), Rendered("S", text, f"<p>{text}</p>"), NOW)
    assert all(len(line) <= 78 and line.isascii() for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    message = message_from_bytes(raw, policy=policy.default)
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    told = message.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert told.rstrip("\n") == text.encode("utf-8", "replace").decode().replace("\r", "").rstrip("\n")


def test_a_long_subject_in_any_script_is_folded() -> None:
    subject = "Il Suo codice – per recuperare l’accesso " * 5
    raw = Letterhead("a@b.example").compose(letter(), Rendered(subject.strip(), "text"), NOW)
    assert all(len(line) <= 78 and line.isascii() for line in raw.split(b"\r\n"))
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Subject"] == subject.strip()
    assert message.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    "to",
    [
        "a@x.example,b@y.example",
        "a@x.example\r\nBcc: b@y.example",
        "a@x.example\n",
        "a@x.example b@y.example",
        "Ada <a@x.example>",
        "<a@x.example>",
        "a@x.example>",
        "a@x.example> SIZE=1",
        "ada",
        "@x.example",
        "a@",
        "",
        "a@x.example\x00",
        "a" * 300 + "@x.example",
    ],
)
def test_what_is_not_one_address_is_refused(to: str) -> None:
    with pytest.raises(Permanent):
        Letterhead("a@b.example").compose(letter(to), told("enrolled"), NOW)


@pytest.mark.parametrize("to", ["a.b+c@x.example", "o'hara@x.example", "a@[192.0.2.1]", "a!b@x.example"])
def test_what_is_one_address_is_taken(to: str) -> None:
    assert f"To: {to}\r\n".encode() in Letterhead("a@b.example").compose(letter(to), told("enrolled"), NOW)


def test_a_domain_in_any_script_is_written_in_ascii() -> None:
    assert mailbox("ada@münchen.example") == "ada@xn--mnchen-3ya.example"
    for to in ("josé@x.example", "ada@\u2028.example", "ada@" + "ü" * 80 + ".example", "ada@x\u3002\u3002.example"):
        with pytest.raises(Permanent):
            mailbox(to)


def test_a_header_holds_no_line_break() -> None:
    for bad in ("a\r\nBcc: b@y.example", "a\nb", "a\x00"):
        with pytest.raises(Permanent):
            Letterhead("a@b.example").compose(letter(), Rendered(bad, "text"), NOW)
    with pytest.raises(Permanent):
        Letterhead("a@b.example").compose(replace(letter(), locale="en\r\nBcc: b@y.example"), told("enrolled"), NOW)
