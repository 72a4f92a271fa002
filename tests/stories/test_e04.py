"""E4: the mobile app's existing users keep username and password: hashes of older schemes verify, and are upgraded at once."""

from datetime import timedelta
from pathlib import Path

import pytest
from passlib.registry import get_crypt_handler

from idp.cli.value_file import UnreadableError, ValueFile
from idp.flows import migrate
from idp.flows.migrate import Batch, Fault
from idp.model import Factor
from idp.vault.legacy import is_legacy
from tests.harness import House
from tests.people import PASSWORD

MOMENT = timedelta(seconds=1)
HEAD = "username,password_hash,email,given_name,family_name,mobile,language,zone,entitlements,last_sign_in_at\n"


@pytest.fixture
def house(self_serve: House) -> House:
    """The profile that these stories are of."""
    return self_serve


def hashed(scheme: str) -> str:
    handler = get_crypt_handler(scheme)
    cheap = {"bcrypt": 4, "phpass": 7, "pbkdf2_sha256": 1000}.get(scheme)
    return str(handler.using(rounds=cheap).hash(PASSWORD) if cheap else handler.hash(PASSWORD))


def line(username: str, hash_: str = "{SSHA}neFt8eV5rD+Tqc1dRclXNHBLkOymdO7d", **changes: str) -> str:
    fields = {
        "username": username,
        "hash": hash_,
        "email": f"{username}@example.com",
        "given_name": "Maria",
        "family_name": "Rossi",
        "mobile": "",
        "language": "it",
        "zone": "Europe/Rome",
        "entitlements": "billing service",
        "last": "2020-01-01T00:00:00+01:00",
    } | changes
    return ",".join(fields.values()) + "\n"


def read(house: House, path: Path, text: str, *, rehearse: bool = False) -> tuple[dict[str, int], list[Fault]]:
    path.write_text(text, "utf-8")
    source = ValueFile(path, migrate.FIELDS, migrate.NEEDED)
    with path.open("rb") as opened:
        lines = source.records(opened)
        told: list[Batch] = list(
            migrate.rehearse(house.world, lines) if rehearse else migrate.bring_in(house.world, lines, "test")
        )
    schemes: dict[str, int] = {}
    for batch in told:
        for name, count in batch.schemes.items():
            schemes[name] = schemes.get(name, 0) + count
    return schemes, [fault for batch in told for fault in batch.faults]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "accounts.csv"


@pytest.mark.parametrize("scheme", ["bcrypt", "pbkdf2_sha256", "ldap_salted_sha1", "phpass", "django_salted_sha1"])
def test_e04_username_and_password_are_kept_and_the_hash_is_upgraded(house: House, file: Path, scheme: str) -> None:
    person = house.person(username=house.name("old"))
    assert read(house, file, HEAD + line(person.username, hashed(scheme))) == ({scheme: 1}, [])
    kept = person.account.credential(Factor.PASSWORD)
    assert kept is not None
    assert is_legacy(kept.hash)
    assert person.elsewhere(password="not the password").try_password().status == 401
    # Of what this portal asks at a first sign-in nothing is missing.
    page = person.sign_in()
    assert person.signed_in(), page.text
    held = person.account.credential(Factor.PASSWORD)
    assert held is not None
    assert not is_legacy(held.hash)
    again = person.elsewhere()
    again.sign_in()
    assert again.signed_in()


def test_e04_wrong_passwords_lock_as_they_do_for_everyone(house: House, file: Path) -> None:
    person = house.person(username=house.name("old"))
    read(house, file, HEAD + line(person.username, hashed("ldap_salted_sha1")))
    for _ in range(5):
        assert person.elsewhere(password="not the password").try_password().status == 401
    assert person.elsewhere().try_password().status == 401
    house.clock.move(minutes=31)
    person.sign_in()
    assert person.signed_in()


def test_e04_whoever_was_long_away_has_all_of_their_time_from_the_import_on(house: House, file: Path) -> None:
    person = house.person(username=house.name("old"))
    read(house, file, HEAD + line(person.username, hashed("ldap_salted_sha1")))
    house.leave(seconds=(house.world.policy.inactivity.suspend_after - MOMENT).total_seconds())
    person.sign_in()
    assert person.signed_in()


def test_e04_a_rehearsal_tells_what_the_import_then_does_and_writes_nothing(house: House, file: Path) -> None:
    old, twice, here = house.name("old"), house.name("twice"), house.customer()
    wrong = {
        "hash_unknown": line("x1y", "secret"),
        "hash_costly": line("x2y", "$2b$31$" + "." * 53),
        "hash_unreadable": line("x3y", "{SSHA}!!!"),
        "username_form": line("a b"),
        "email": line("x4y", email="a@b@c"),
        "mobile": line("x5y", mobile="12"),
        "language": line("x6y", language="xx"),
        "zone": line("x7y", zone="Mars/Olympus"),
        "entitlements": line("x8y", entitlements="root"),
        "too_long": line("x9y", family_name="x" * 500),
        "moment": line("x0y", last="yesterday"),
        "columns": "a,b\n",
    }
    good = line(old) + line(twice)
    text = HEAD + good + "".join(wrong.values()) + line(here.username)
    faults = [Fault(number, name) for number, name in enumerate(wrong, 4)]
    expected = ({"ldap_salted_sha1": 2}, [*faults, Fault(len(wrong) + 4, "here_already")])
    before = len(house.audit("accounts.imported"))
    assert read(house, file, text, rehearse=True) == expected
    assert len(house.audit("accounts.imported")) == before
    with house.world.store.read() as tx:
        assert tx.accounts.by_username(old) is None
    doubled = read(house, file, text + line(twice.upper()), rehearse=True)[1]
    assert doubled[-1] == Fault(len(wrong) + 5, "duplicate")
    assert read(house, file, text) == expected
    # Once more: whoever is here already stays as they are.
    schemes, again = read(house, file, HEAD + good)
    assert (schemes, [fault.what for fault in again]) == ({}, ["here_already"] * 2)


def test_e04_a_file_that_was_cut_is_refused(house: House, file: Path) -> None:
    with pytest.raises(UnreadableError, match="may have been cut"):
        read(house, file, HEAD + line("someone")[:-9], rehearse=True)
