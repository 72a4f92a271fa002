"""Staff start a reset and never learn a secret: it goes to the person's own address, if that has stood for three days."""

from datetime import timedelta

from idp.flows import assist
from idp.flows.assist import Act, NotStarted
from idp.model import Account, Alarm, Changed, Factor
from tests.harness import House


def start(house: House, username: str) -> object:
    return assist.start_reset(house.world, username, "test")


def test_staff_have_a_temporary_password_sent_that_opens_the_choice_of_a_new_one(house: House) -> None:
    person = house.customer()
    assert isinstance(start(house, person.username), Account)
    ((letter, context),) = house.letters(person.account, "temporary_password")
    assert letter.to == person.account.email
    page = person.try_password(context["password"])
    assert page.step == "ReplacePassword"
    (entry,) = house.audit("account.reset", person.account)
    assert (entry.actor, entry.outcome) == ("test", "started")
    assert context["password"] not in str(entry.facts)


def test_it_is_refused_for_who_cannot_recover_for_a_new_address_and_beyond_the_limit(house: House) -> None:
    person, blocked = house.customer(), house.customer()
    assist.change_state(house.world, blocked.username, Act.BLOCK, "test")
    assert start(house, "nobody at all") is NotStarted.UNKNOWN
    assert start(house, blocked.username) is NotStarted.CLOSED
    assert [start(house, person.username) for _ in range(4)][-1] is NotStarted.TOO_MANY
    assert len(house.letters(person.account, "temporary_password")) == 3
    moved, now = house.customer(), house.clock()
    with house.world.store.begin() as tx:
        changed = Alarm(
            house.vault.token(), moved.account.id, Changed.EMAIL, "before@example.com", now, now + timedelta(days=3)
        )
        tx.alarms.put(changed)
    assert start(house, moved.username) is NotStarted.ADDRESS_IS_NEW
    assert moved.account.credential(Factor.TEMPORARY) is None
