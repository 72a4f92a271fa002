"""R-32: a person who was deleted: nothing is left of them, nobody is known by their name, and nothing of theirs opens."""

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest

from idp.flows import invite, retaining
from idp.model import Account, AccountState, OneTimeCode, Passkey, Purpose
from idp.policies.credentials import canonical_username
from idp.store import Taken
from tests import alarms
from tests.harness import House
from tests.leftovers import lifetimes, places, purge
from tests.people import Person
from tests.recoveries import masked

NAME, FAMILY, STEM, MAIL, NUMBER = "Zefirina", "Quagliarulo", "zq.marker", "former.zq", "+39 333 1234509"
MARKERS = (NAME, FAMILY, STEM, MAIL, NUMBER, "3331234509")


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def own(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """A house that is searched whole, so that nobody else may live in it."""
    return new_house(request.param)


def someone(house: House) -> Person:
    """Someone who has done everything of which a trace is kept."""
    name = f"{STEM}{secrets.token_hex(2)}"
    facts = {"given_name": NAME, "family_name": FAMILY, "email": f"{MAIL}@example.com", "mobile": NUMBER}
    person, code = house.invited(username=name, **facts)
    person.walk(person.open_invitation(code))
    person.authorize("partner", scope="openid profile email offline_access")
    alarms.reset(house, name, "six quiet herons over the mill")
    alarms.move(house, name, f"{name}@example.com")
    person.password = "six quiet herons over the mill"
    assert person.walk(person.open("/sign-in")).status == 200
    person.elsewhere().try_password()
    _fill(house, person.account)
    return person


def _fill(house: House, account: Account) -> None:
    """What takes a phone or a mail server: passkey, recovery codes, a code for a new number, letters sent and given up."""
    now, vault = house.clock(), house.vault
    with house.world.store.begin() as tx:
        tx.passkeys.add(Passkey(vault.token(), account.id, "key", 1, f"{NAME}'s phone", now))
        tx.recovery_codes.replace(account.id, [vault.keyed("spoken", "a"), vault.keyed("spoken", "b")])
        value = vault.seal(NUMBER.encode())
        tx.one_time_codes.put(OneTimeCode(account.id, Purpose.MOBILE, "d", now, now + timedelta(minutes=10), value))
        tx.issuances.add(account.id, "recovery", now)
        house.world.send(tx, now, "locked", account, {"name": account.given_name, "factor": "pin", "until": None})
        waiting = [letter for letter, _ in tx.outbox.claim(now + timedelta(seconds=1), timedelta(0), 1000)]
        assert len(waiting) >= 3
        tx.outbox.sent(waiting[0].id, now)
        tx.outbox.failed(waiting[1].id, now, f"550 <{account.email}> unknown", None)


def test_r32_nothing_personal_is_left_in_any_row_of_any_table_nor_in_redis(own: House) -> None:
    person = someone(own)
    before = places(own, MARKERS)
    assert {"accounts", "outbox", "alarms", "passkeys"} <= before
    of_theirs = places(own, (person.account.id,))
    assert {"credentials", "credential_history", "devices", "counters", "grants", "audit", "issuances"} <= of_theirs
    assert {"invitations", "client_consents", "one_time_codes", "recovery_codes"} <= of_theirs
    assert {"sessions", "redis session", "redis sessions"} & of_theirs
    subject = purge(own, person)
    assert places(own, MARKERS) == set()
    # The identifier stays where it says that it is nobody's, what was done and what was allowed; a sign-in ends in minutes.
    assert places(own, (subject,)) - {"sign_ins", "redis sign-in"} == {"audit", "tombstones", "grants"}
    (entry,) = own.audit("account.purged")
    assert (entry.account_id, entry.facts["why"], entry.facts["state"]) == (subject, "expired", "active")


def test_r32_what_a_client_hinted_at_goes_with_its_sign_in(own: House) -> None:
    person = someone(own)
    person.elsewhere().ask(login_hint=person.username)
    purge(own, person)
    left = places(own, MARKERS)
    assert left in ({"sign_ins"}, {"redis sign-in"})
    own.clock.move(seconds=own.world.policy.session.sign_in_lifetime.total_seconds() + 1)
    list(retaining.forget(own.world, own.clock()))
    # Redis has a clock of its own, and the end of each key by it.
    assert places(own, MARKERS) == left - {"sign_ins"}
    assert all(0 < seconds <= 12 * 60 for seconds in lifetimes(own, "idp:sign-in:*"))


def test_r32_audit_of_a_whole_life_names_nobody(own: House) -> None:
    someone(own)
    assert "audit" not in places(own, MARKERS)


def test_r32_their_name_is_nobodys_and_may_be_somebody_elses(house: House) -> None:
    person = house.customer()
    account = person.account
    tokens = person.tokens()
    assert house.introspect(tokens["access_token"])["active"]
    subject = purge(house, person)
    with house.world.store.read() as tx:
        assert tx.accounts.by_username(canonical_username(account.username)) is None
        assert tx.accounts.by_id(subject) is None
        assert tx.accounts.by_email(account.email) == []
    pages = []
    for name in (account.username, f"{account.username[:-3]}zzz"):
        page = person.elsewhere(username=name).try_password(person.password)
        pages.append([str(part).replace(name, "…") for part in masked(page)])
    assert pages[0] == pages[1]
    assert not person.signed_in()
    assert house.introspect(tokens["access_token"]) == {"active": False}
    assert house.userinfo(tokens["access_token"]).status_code == 401
    assert house.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    again = invite.invite(house.world, invite.Person(account.username, account.email, "Ada", "Byron"), None, "test")
    assert isinstance(again, Account)
    assert again.id != subject
    assert house.introspect(tokens["access_token"]) == {"active": False}
    assert house.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_r32_their_identifier_is_never_given_to_anybody_again(house: House) -> None:
    subject = purge(house, house.customer())
    impostor = Account(subject, house.name(), "a@example.com", "A", "B", AccountState.INVITED, house.clock())
    with pytest.raises(Taken), house.world.store.begin() as tx:
        tx.accounts.add(impostor, canonical_username(impostor.username))
    with house.world.store.read() as tx:
        assert tx.accounts.by_id(subject) is None
        assert tx.counters.of(subject) == []
