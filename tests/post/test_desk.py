"""`idp letters`: every letter shown before anybody gets it, and what could not be delivered, without telling too much."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from idp.app.composition import clock
from idp.cli import idp
from idp.cli.letter_samples import samples
from idp.language import Words
from idp.model import Brand
from idp.post.letters import CHANNELS, NEEDS, Letters
from tests.post.conftest import NOW, Desk

CONFIG = Path(__file__).parents[2] / "config"
Run = Callable[..., Result]


@pytest.fixture
def run(desk: Desk) -> Run:
    """Runs `idp letters` over the desk's outbox."""
    environ = {
        "IDP_CONFIG": str(CONFIG),
        "IDP_DATABASE_URL": str(desk.world.store.engine.url),
        "IDP_MASTER_KEY": secrets.token_hex(32),
        **{f"{name}_CLIENT_SECRET": secrets.token_hex(32) for name in ("PORTAL", "BILLING", "SERVICE")},
    }
    return lambda *arguments: CliRunner(env=environ).invoke(idp, ["letters", *arguments])


def test_there_are_samples_of_every_letter_and_each_can_be_read():
    cases = samples("https://id.example", NOW)
    assert cases.keys() == NEEDS.keys()
    wording, brand = Letters(Words()), Brand("Norda")
    for template, contexts in cases.items():
        for context in contexts.values():
            assert context.keys() >= NEEDS[template]
            for locale in ("en", "it"):
                for channel in CHANNELS:
                    if wording.has(template, channel):
                        assert wording.render(template, locale, context, brand, channel).text


def test_the_preview_shows_everything_in_both_languages(run: Run):
    shown = run("preview")
    assert shown.exit_code == 0, shown.output
    for words in ("Your username", "Il Suo nome utente", "changed (mobile) · it · sms", "characters", "lusab-babad-gutih"):
        assert words in shown.output
    for template in NEEDS:
        assert template in shown.output


def test_the_preview_can_be_narrowed_down(run: Run):
    shown = run("preview", "recovery_code", "--locale", "it", "--channel", "sms").output
    assert "il Suo codice è 493027" in shown
    assert "· mail" not in shown
    assert "· en ·" not in shown
    assert run("preview", "unheard_of").exit_code == 2
    assert run("preview", "--locale", "xx").exit_code == 2
    assert run("preview", "enrolled", "--channel", "sms").exit_code == 1


def test_the_preview_needs_no_key_and_no_database(tmp_path: Path):
    shown = CliRunner(env={"IDP_CONFIG": str(CONFIG)}).invoke(idp, ["letters", "preview", "frozen"])
    assert shown.exit_code == 0, shown.output
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_written_to_a_file(run: Run, tmp_path: Path):
    page = tmp_path / "letter.html"
    assert run("preview", "new_pin", "--locale", "it", "--html", str(page)).exit_code == 0
    assert '<html lang="it">' in page.read_text("utf-8")
    assert "482915" in page.read_text("utf-8")
    assert run("preview", "--html", str(page)).exit_code == 2


def test_everything_is_written_to_a_folder(run: Run, tmp_path: Path):
    folder = tmp_path / "all" / "letters"
    told = run("preview", "--to", str(folder))
    assert told.exit_code == 0
    index = (folder / "index.html").read_text("utf-8")
    for path in folder.iterdir():
        if path.name != "index.html":
            assert f'href="{path.name}"' in index
    for name in ("changed.password.it.html", "changed.password.it.txt", "changed.password.it.sms.txt", "frozen.en.html"):
        assert (folder / name).read_text("utf-8")
    assert not (folder / "enrolled.en.sms.txt").exists()


def test_the_dead_are_listed_without_address_or_content(run: Run, desk: Desk):
    assert run("dead").output.strip() == "No letter was given up."
    desk.put(to="maria.rossi@customer.example", template="locked")
    desk.put(to="+393331234567", channel="sms", not_after=desk.clock.now)
    with desk.world.store.begin() as tx:
        for letter, _ in tx.outbox.claim(desk.clock(), desk.clock() - desk.clock(), 10):
            tx.outbox.failed(letter.id, desk.clock(), "550 no such [user]", None)
        tx.outbox.expire(desk.clock())
    listed = run("dead").output
    assert "m…@customer.example" in listed
    assert "…567" in listed
    assert "550 no such [user]" in listed
    assert "expired" in listed
    for hidden in ("maria", "39333", "Ada"):
        assert hidden not in listed


def test_a_dead_letter_is_delivered_after_all(run: Run, desk: Desk):
    desk.server.to_rcpt = "550 no such user"
    first, second = desk.put(), desk.put()
    desk.fates()
    assert "cannot" not in run("retry", first.id).output
    assert [desk.row(one).state for one in (first, second)] == ["waiting", "dead"]
    assert run("retry", first.id).exit_code == 1
    assert run("retry", "unheard of").exit_code == 1
    assert run("retry").exit_code == 2
    assert run("retry", first.id, "--all").exit_code == 2
    assert run("retry", "--all").output.startswith("1 ")
    desk.server.to_rcpt = "250 OK"
    # The command's clock is today's.
    desk.clock.now = clock()
    assert len(desk.fates()) == 2
    assert len(desk.server.taken) == 2
