"""C6: data is kept no longer than needed: a period for each kind, enforced by the sweep and shown in the policy document."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from operator import attrgetter
from typing import Any

import pytest

from idp.flows import assist, codes, retaining, sealing, upkeep
from idp.model import Account, Factor, Kept, Purpose
from idp.policies.retention import RULES, Takes
from tests import alarms
from tests.harness import CONFIG, House, open_house, together
from tests.leftovers import everything, lifetimes, places
from tests.people import Person

SECOND = timedelta(seconds=1)
# The keys of the policy whose spans follow one another, what is done to have the data, and where it lies.
Case = tuple[tuple[str, ...], Callable[[House, Person], Any], str]


@pytest.fixture(scope="module", params=["sqlite", "postgresql+redis"])
def keeper(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose clock stands still but for the tests that move it on."""
    with open_house(request.param, tmp_path_factory.mktemp("keeper"), environ={"IDP_PROFILE": "consumer"}) as opened:
        opened.clock.stop()
        yield opened


def sent(house: House, person: Person) -> None:
    (letter, _), *_ = house.letters(_written(house, person))
    with house.world.store.begin() as tx:
        tx.outbox.sent(letter.id, house.clock())


def given_up(house: House, person: Person) -> None:
    (letter, _), *_ = house.letters(_written(house, person))
    with house.world.store.begin() as tx:
        tx.outbox.failed(letter.id, house.clock(), "550 unknown", None)


def _written(house: House, person: Person) -> Account:
    account = person.account
    with house.world.store.begin() as tx:
        house.world.send(tx, house.clock(), "locked", account, {"name": "Maria", "factor": "pin", "until": None})
    return account


def signed_in(_house: House, person: Person) -> None:
    person.walk(person.open("/sign-in"))
    assert person.signed_in()


def on_the_way(_house: House, person: Person) -> None:
    assert person.sign_in(until="AcceptTerms").step == "AcceptTerms"


def recovered(house: House, person: Person) -> None:
    house.temporary_password(person)


def replaced(house: House, person: Person) -> None:
    alarms.reset(house, person.username, "six quiet herons over the mill")


def moved(house: House, person: Person) -> None:
    alarms.move(house, person.username, f"new.{person.username}@example.com")


def granted(_house: House, person: Person) -> None:
    assert person.tokens()["refresh_token"]


def revoked(house: House, person: Person) -> None:
    granted(house, person)
    with house.world.store.begin() as tx:
        assert tx.grants.revoke_account(person.account.id, house.clock())


def agreed(_house: House, person: Person) -> None:
    assert "code" in person.authorize("partner").answer


def code_sent(house: House, person: Person) -> None:
    with house.world.store.begin() as tx:
        assert codes.make(house.world, tx, person.account, Purpose.EMAIL, now=house.clock(), value="new@example.com")


CASES: dict[str, Case] = {
    "letters sent": (("retention.letters",), sent, "outbox"),
    "letters given up": (("retention.letters",), given_up, "outbox"),
    "counters": (("retention.attempts",), signed_in, "counters"),
    "issuances": (("retention.attempts",), recovered, "issuances"),
    "former_credentials": (("retention.former_credentials",), replaced, "credential_history"),
    "grants run out": (("tokens.refresh_absolute", "retention.grants"), granted, "grants"),
    "grants revoked": (("retention.grants",), revoked, "grants"),
    "one_time_codes": (("recovery.code_lifetime", "retention.ended"), code_sent, "one_time_codes"),
    "alarms": (("change.alarm_lifetime", "retention.ended"), moved, "alarms"),
    "devices": (("lockout.known_device_lifetime",), signed_in, "devices"),
    "client_consents": (("consent.client_consent_lifetime",), agreed, "client_consents"),
}


def swept(house: House) -> dict[Kept, int]:
    """What retention takes at this moment, having foreseen it."""
    now = house.clock()
    foreseen = {kind: rows for kind, rows in retaining.would_forget(house.world, now) if rows}
    gone: dict[Kept, int] = {}
    for kind, rows in retaining.forget(house.world, now):
        gone[kind] = gone.get(kind, 0) + rows
    assert {kind: rows for kind, rows in gone.items() if rows and kind is not Kept.THROTTLES} == foreseen
    return gone


def after(house: House, *keys: str) -> timedelta:
    return sum((attrgetter(key)(house.world.policy) for key in keys), timedelta())


@pytest.mark.parametrize("case", CASES)
def test_c06_data_is_there_until_its_period_ends_and_gone_then(keeper: House, case: str) -> None:
    keys, make, table = CASES[case]
    person = keeper.customer()
    make(keeper, person)
    subject = person.account.id
    ends = keeper.clock() + after(keeper, *keys)
    keeper.clock.move(seconds=(ends - keeper.clock() - SECOND).total_seconds())
    swept(keeper)
    assert table in places(keeper, (subject,))
    keeper.clock.move(seconds=2)
    assert sum(swept(keeper).values()) > 0
    assert table not in places(keeper, (subject,))
    assert sum(swept(keeper).values()) == 0
    # Nothing else of the person was taken with it.
    assert person.account.credential(Factor.PASSWORD) is not None


def test_c06_invitations_go_after_their_links(keeper: House) -> None:
    person, _ = keeper.invited()
    keeper.clock.move(seconds=(after(keeper, "registration.invitation_lifetime", "retention.ended") - SECOND).total_seconds())
    swept(keeper)
    assert "invitations" in places(keeper, (person.account.id,))
    keeper.clock.move(seconds=2)
    assert swept(keeper)[Kept.INVITATIONS] == 1
    assert "invitations" not in places(keeper, (person.account.id,))


def test_c06_temporary_passwords_go_after_their_end_and_the_password_stays(keeper: House) -> None:
    person = keeper.customer()
    recovered(keeper, person)
    keeper.clock.move(seconds=(after(keeper, "temporary_password.lifetime", "retention.ended") - SECOND).total_seconds())
    swept(keeper)
    assert person.account.credential(Factor.TEMPORARY) is not None
    keeper.clock.move(seconds=2)
    assert swept(keeper)[Kept.TEMPORARY_PASSWORDS] == 1
    assert {held.factor for held in person.account.credentials} == {Factor.ANSWER, Factor.PASSWORD}


def test_c06_the_audit_goes_a_seal_at_a_time(keeper: House) -> None:
    keeper.clock.move(minutes=2)
    signed_in(keeper, person := keeper.customer())
    assert sealing.seal(keeper.world) > 0
    keeper.clock.move(seconds=(after(keeper, "retention.audit") - SECOND).total_seconds())
    swept(keeper)
    assert keeper.audit(account=person.account)
    keeper.clock.move(seconds=2)
    swept(keeper)
    assert not keeper.audit(account=person.account)
    assert sealing.verify(keeper.world).faults == ()


@pytest.mark.parametrize(
    ("make", "key", "table"), [(on_the_way, "session.sign_in_lifetime", "sign_ins"), (signed_in, "session.idle", "sessions")]
)
def test_c06_what_is_short_lived_goes_at_its_own_end(
    keeper: House, make: Callable[[House, Person], Any], key: str, table: str
) -> None:
    person = keeper.customer()
    make(keeper, person)
    kind, lifetime = {"sign_ins": "sign-in", "sessions": "session"}[table], after(keeper, key)
    if "IDP_REDIS_URL" in keeper.secrets:
        # Redis ends keys by a clock of its own, a little later, so that nodes agree.
        ends = lifetimes(keeper, f"idp:{kind}:*")
        assert ends
        assert all(0 < seconds <= lifetime.total_seconds() + 120 for seconds in ends)
        return
    keeper.clock.move(seconds=(lifetime - SECOND).total_seconds())
    swept(keeper)
    assert table in places(keeper, (person.account.id,))
    keeper.clock.move(seconds=2)
    assert swept(keeper)[Kept(table)] == 1
    assert table not in places(keeper, (person.account.id,))


def test_c06_revoked_tokens_and_identifiers_that_work_once_go_at_their_own_end(keeper: House) -> None:
    now, world = keeper.clock(), keeper.world
    with world.store.begin() as tx:
        tx.denied.deny("jti digest", now + timedelta(minutes=5))
    assert world.store.used.first_time("once", now + timedelta(minutes=5), now)
    keeper.clock.move(seconds=299)
    swept(keeper)
    assert places(keeper, ("jti digest",)) == {"denied"}
    keeper.clock.move(seconds=2)
    gone = swept(keeper)
    assert gone[Kept.DENIED] == 1
    assert places(keeper, ("jti digest",)) == set()
    assert not [place for place, _ in everything(keeper) if place == "used"]
    assert all(0 < seconds <= 300 + 120 for seconds in lifetimes(keeper, "idp:used:*"))


def test_c06_closed_accounts_and_those_never_come_to_go_with_everything(keeper: House) -> None:
    closed, (invited, _) = keeper.customer(), keeper.invited()
    names = {closed.username: closed.account.id, invited.username: invited.account.id}
    assert assist.change_state(keeper.world, closed.username, assist.Act.CLOSE, "test")
    rules = keeper.world.policy
    assert rules.retention.closed_accounts == rules.registration.purge_unconfirmed_after
    keeper.clock.move(seconds=(rules.retention.closed_accounts - SECOND).total_seconds())
    list(upkeep.sweep(keeper.world))
    assert all("accounts" in places(keeper, (name,)) for name in names)
    keeper.clock.move(seconds=2)
    list(upkeep.sweep(keeper.world))
    assert places(keeper, names) == set()
    assert all("tombstones" in places(keeper, (subject,)) for subject in names.values())


def test_c06_the_policy_document_shows_each_period(keeper: House) -> None:
    document = (CONFIG.parent / "docs" / "policy.md").read_text("utf-8")
    table = document.partition("### What goes when")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(RULES) == len(Kept)
    for row, (kind, rule) in zip(rows, RULES.items(), strict=True):
        assert all(f"`{key}` (" in row for key in rule.keys), kind
        assert rule.keys or "its own end" in row, kind
        for key in rule.keys:
            assert attrgetter(key)(keeper.world.policy) is not None
    # Whatever is not ended by upkeep of accounts or by itself has a period of the policy.
    assert all(rule.keys for rule in RULES.values() if rule.takes is not Takes.END)


def test_c06_several_workers_at_once_take_each_row_once_and_one_that_is_killed_is_no_harm(keeper: House) -> None:
    account, now = keeper.customer().account, keeper.clock()
    swept(keeper)
    with keeper.world.store.begin() as tx:
        for number in range(1700):
            tx.issuances.add(account.id, "recovery", now + number * SECOND / 1_000_000)
    keeper.clock.move(seconds=(after(keeper, "retention.attempts") + SECOND).total_seconds())
    # The house is others' too: something of theirs may have come of age with it.
    there = dict(retaining.would_forget(keeper.world, keeper.clock()))[Kept.ISSUANCES]
    assert there >= 1700
    begun = retaining.forget(keeper.world, keeper.clock())
    assert next(one for one in begun if one.kind is Kept.ISSUANCES) == (Kept.ISSUANCES, retaining.AT_ONCE)
    begun.close()

    def work() -> int:
        return sum(rows for kind, rows in retaining.forget(keeper.world, keeper.clock()) if kind is Kept.ISSUANCES)

    assert sum(together([work] * 3)) == there - retaining.AT_ONCE
    assert "issuances" not in places(keeper, (account.id,))
