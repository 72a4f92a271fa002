"""X6: a lockout that an attacker cannot turn against a customer: a known device has a counter of its own."""

from idp.model import Factor
from tests.harness import House
from tests.stories.test_a08 import lock


def test_x06_a_stranger_locks_the_name_and_the_owners_known_device_still_signs_in(house: House) -> None:
    owner = house.customer()
    owner.sign_in()
    assert owner.signed_in()
    owner.client.cookies.delete("idp_session")
    assert not owner.signed_in()
    lock(owner.elsewhere(), 7)
    assert owner.elsewhere().try_password(owner.password).status == 401
    owner.sign_in()
    assert owner.signed_in()
    assert house.counter(owner.account).locked_until is not None


def test_x06_the_known_device_has_its_own_threshold_and_does_not_lock_others(house: House) -> None:
    owner = house.customer()
    owner.sign_in()
    owner.client.cookies.delete("idp_session")
    lock(owner, 5)
    assert owner.try_password(owner.password).status == 401
    other = owner.elsewhere()
    other.sign_in()
    assert other.signed_in()


def test_x06_a_stranger_who_locks_the_pin_does_not_lock_it_for_the_known_device(house: House) -> None:
    owner = house.customer()
    owner.sign_in()
    owner.client.cookies.delete("idp_session")
    thief = owner.elsewhere()
    page = thief.sign_in(until="AskPin")
    for _ in range(5):
        page = thief.fill(page, pin="999111")
    assert page.heading == "Blocked for a while"
    owner.sign_in()
    assert owner.signed_in()
    assert house.counter(owner.account, Factor.PIN).locked_until is not None


def test_x06_a_device_is_known_only_to_the_account_it_opened_and_a_made_up_one_to_none(house: House) -> None:
    victim, thief = house.customer(), house.customer()
    thief.sign_in()
    thief.client.cookies.delete("idp_session")
    thief.username = victim.username
    lock(thief, 5)
    assert house.counter(victim.account).locked_until is not None
    forged = victim.elsewhere()
    forged.client.cookies.set("idp_device", "A" * 43, domain="localhost.local", path="/")
    assert forged.try_password(victim.password).status == 401


def test_x06_a_device_not_seen_for_180_days_is_a_stranger_again(house: House) -> None:
    owner = house.customer()
    owner.sign_in()
    owner.client.cookies.delete("idp_session")
    house.clock.move(days=100)
    owner.sign_in()
    owner.client.cookies.delete("idp_session")
    house.clock.move(days=179, hours=23)
    lock(owner, 1)
    assert house.counter(owner.account).failures == 0
    house.clock.move(hours=2)
    lock(owner, 1)
    assert house.counter(owner.account).failures == 1
