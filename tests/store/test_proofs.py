"""What works once, or a few times, or until a moment: codes, limits, alarms, recovery codes, passkeys, expiring secrets."""

import dataclasses
from datetime import timedelta

import pytest

from idp.model import Account, Alarm, Changed, Credential, Factor, OneTimeCode, Passkey, Purpose
from idp.store import Store
from tests.store.facts import DAY, HOUR, MINUTE, NOW, SECOND, account, credential, device, sign_in
from tests.store.races import RUNNERS, race

TICK = timedelta(microseconds=1)
PURPOSES = tuple(Purpose)


def code(**facts: object) -> OneTimeCode:
    whole = OneTimeCode("a1", Purpose.RECOVERY, "digest", NOW, NOW + 10 * MINUTE, b"\0sealed\xff", 0)
    return dataclasses.replace(whole, **facts)  # type: ignore[arg-type]


def alarm(**facts: object) -> Alarm:
    whole = Alarm("alarm", "a1", Changed.EMAIL, "old@example.com", NOW, NOW + 72 * HOUR)
    return dataclasses.replace(whole, **facts)  # type: ignore[arg-type]


def passkey(**facts: object) -> Passkey:
    whole = Passkey("key-1", "a1", "cHVibGlj", 7, "Laptop", NOW, NOW + MINUTE)
    return dataclasses.replace(whole, **facts)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _people(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.add(account(credentials=()), "ada")
        tx.accounts.add(account(id="a2", username="bob", credentials=()), "bob")


def held(store: Store, factor: Factor, account_id: str = "a1") -> Credential | None:
    with store.read() as tx:
        found = tx.accounts.by_id(account_id)
    assert found is not None
    return found.credential(factor)


# Codes that were sent


def test_a_code_comes_back_as_it_was_put(store: Store) -> None:
    with store.begin() as tx:
        tx.one_time_codes.put(code())
        tx.one_time_codes.put(code(purpose=Purpose.EMAIL, digest="another", value=b"", tries=2))
    with store.read() as tx:
        assert tx.one_time_codes.live("a1", Purpose.RECOVERY, NOW) == code()
        assert tx.one_time_codes.live("a1", Purpose.EMAIL, NOW) == code(
            purpose=Purpose.EMAIL, digest="another", value=b"", tries=2
        )
        assert tx.one_time_codes.live("a1", Purpose.MOBILE, NOW) is None
        assert tx.one_time_codes.live("a2", Purpose.RECOVERY, NOW) is None


def test_a_newer_code_kills_the_older_one_of_its_purpose_alone(store: Store) -> None:
    older, newer = code(), code(digest="newer", created_at=NOW + MINUTE, expires_at=NOW + 20 * MINUTE, value=b"new")
    with store.begin() as tx:
        for purpose in PURPOSES:
            tx.one_time_codes.put(dataclasses.replace(older, purpose=purpose))
        tx.one_time_codes.put(dataclasses.replace(older, account_id="a2"))
        assert tx.one_time_codes.attempt("a1", Purpose.RECOVERY, 3, NOW) is not None
        tx.one_time_codes.put(newer)
        assert tx.one_time_codes.live("a1", Purpose.RECOVERY, NOW) == newer
        assert not tx.one_time_codes.spend(older)
        assert tx.one_time_codes.spend(newer)
        assert tx.one_time_codes.spend(dataclasses.replace(older, account_id="a2"))
        for purpose in set(PURPOSES) - {Purpose.RECOVERY}:
            assert tx.one_time_codes.live("a1", purpose, NOW) is not None
        assert [tx.one_time_codes.live(one, Purpose.RECOVERY, NOW) for one in ("a1", "a2")] == [None, None]


@pytest.mark.parametrize(("after", "alive"), [(-TICK, True), (timedelta(0), False), (TICK, False)])
def test_a_code_ends_at_its_moment_exactly(store: Store, after: timedelta, alive: bool) -> None:
    at = code().expires_at + after
    with store.begin() as tx:
        tx.one_time_codes.put(code())
        assert (tx.one_time_codes.live("a1", Purpose.RECOVERY, at) is not None) is alive
        assert (tx.one_time_codes.attempt("a1", Purpose.RECOVERY, 3, at) is not None) is alive


def test_tries_are_counted_to_the_most_and_no_further(store: Store) -> None:
    with store.begin() as tx:
        tx.one_time_codes.put(code())
        tried = [tx.one_time_codes.attempt("a1", Purpose.RECOVERY, 3, NOW) for _ in range(5)]
        assert [None if one is None else one.tries for one in tried] == [1, 2, 3, None, None]
        left = tx.one_time_codes.live("a1", Purpose.RECOVERY, NOW)
        assert left is not None
        assert left.tries == 3
        assert tx.one_time_codes.attempt("a1", Purpose.RECOVERY, 0, NOW) is None
        tx.one_time_codes.drop("a1", Purpose.RECOVERY)
        assert tx.one_time_codes.live("a1", Purpose.RECOVERY, NOW) is None
        assert tx.one_time_codes.attempt("a1", Purpose.RECOVERY, 9, NOW) is None
        assert tx.one_time_codes.attempt("nobody", Purpose.RECOVERY, 9, NOW) is None


@pytest.mark.parametrize("most", [1, 3, 5])
def test_of_fifty_tries_at_once_exactly_as_many_as_may_are_counted(store: Store, most: int) -> None:
    with store.begin() as tx:
        tx.one_time_codes.put(code())

    def attempt(_: int) -> OneTimeCode | None:
        with store.begin() as tx:
            return tx.one_time_codes.attempt("a1", Purpose.RECOVERY, most, NOW)

    counted = [one.tries for one in race(attempt) if one is not None]
    assert sorted(counted) == list(range(1, most + 1))


def test_of_fifty_at_once_one_uses_the_code(store: Store) -> None:
    with store.begin() as tx:
        tx.one_time_codes.put(code())

    def spend(_: int) -> bool:
        with store.begin() as tx:
            return tx.one_time_codes.spend(code())

    assert race(spend).count(True) == 1


def test_of_fifty_codes_at_once_one_is_left_and_only_that_one_works(store: Store) -> None:
    made = [code(digest=f"digest-{number}") for number in range(RUNNERS)]

    def put(number: int) -> None:
        with store.begin() as tx:
            tx.one_time_codes.put(made[number])

    race(put)
    with store.begin() as tx:
        left = tx.one_time_codes.live("a1", Purpose.RECOVERY, NOW)
        assert left in made
        assert [tx.one_time_codes.spend(one) for one in made].count(True) == 1


# When what was sent


def test_issuances_are_counted_by_kind_and_account_from_after_a_moment(store: Store) -> None:
    with store.begin() as tx:
        for ago in (HOUR, MINUTE, timedelta(0)):
            tx.issuances.add("a1", "temporary", NOW - ago)
        tx.issuances.add("a1", "pin", NOW)
        tx.issuances.add("a2", "temporary", NOW)
        assert sorted(tx.issuances.since("a1", "temporary", NOW - HOUR)) == [NOW - MINUTE, NOW]
        assert len(tx.issuances.since("a1", "temporary", NOW - HOUR - TICK)) == 3
        assert tx.issuances.since("a1", "temporary", NOW) == []
        assert tx.issuances.since("a1", "pin", NOW - DAY) == [NOW]
        assert tx.issuances.since("nobody", "pin", NOW - DAY) == []
        tx.issuances.add("a1", "pin", NOW)
        assert tx.issuances.since("a1", "pin", NOW - DAY) == [NOW, NOW]


def test_under_the_lock_of_the_account_a_limit_holds_for_fifty_at_once(store: Store) -> None:
    def issue(_: int) -> bool:
        with store.begin() as tx:
            assert tx.accounts.locked("a1") is not None
            if len(tx.issuances.since("a1", "temporary", NOW - HOUR)) >= 3:
                return False
            tx.issuances.add("a1", "temporary", NOW)
            return True

    assert race(issue).count(True) == 3


# Alarms


def test_an_alarm_works_once_and_until_its_moment(store: Store) -> None:
    ends = alarm().expires_at
    with store.begin() as tx:
        tx.alarms.put(alarm())
        tx.alarms.put(alarm(digest="other", changed=Changed.PIN, before=""))
        assert tx.alarms.live("alarm", NOW) == alarm()
        assert tx.alarms.live("other", NOW) == alarm(digest="other", changed=Changed.PIN, before="")
        assert tx.alarms.live("alarm", ends - TICK) == alarm()
        assert tx.alarms.live("alarm", ends) is None
        assert not tx.alarms.spend("alarm", ends)
        assert not tx.alarms.spend("unknown", NOW)
        assert tx.alarms.spend("alarm", ends - TICK)
        assert not tx.alarms.spend("alarm", NOW)
        assert tx.alarms.live("alarm", NOW) is None
        assert tx.alarms.live("other", NOW) is not None


def test_of_fifty_at_once_one_raises_the_alarm(store: Store) -> None:
    with store.begin() as tx:
        tx.alarms.put(alarm())

    def spend(_: int) -> bool:
        with store.begin() as tx:
            return tx.alarms.spend("alarm", NOW)

    assert race(spend).count(True) == 1


def test_the_alarms_since_a_moment_end_together(store: Store) -> None:
    moments = (NOW - MINUTE, NOW, NOW + MINUTE)
    made = [alarm(digest=f"d{number}", created_at=at) for number, at in enumerate(moments)]
    with store.begin() as tx:
        for one in (*made, alarm(digest="theirs", account_id="a2")):
            tx.alarms.put(one)
        assert tx.alarms.since("a1", NOW) == made[1:]
        tx.alarms.end_since("a1", NOW, NOW + HOUR)
        alive = [digest for digest in ("d0", "d1", "d2", "theirs") if tx.alarms.live(digest, NOW + HOUR)]
        assert alive == ["d0", "theirs"]
        assert [one.digest for one in tx.alarms.since("a1", NOW)] == ["d1", "d2"]


# Recovery codes


def test_recovery_codes_are_an_accounts_own_and_replaced_as_a_set(store: Store) -> None:
    with store.begin() as tx:
        assert tx.recovery_codes.left("a1") == 0
        tx.recovery_codes.replace("a1", [f"d{number}" for number in range(10)])
        tx.recovery_codes.replace("a2", ["d0"])
        assert tx.recovery_codes.left("a1") == 10
        assert tx.recovery_codes.spend("a1", "d0")
        assert not tx.recovery_codes.spend("a1", "d0")
        assert tx.recovery_codes.left("a1") == 9
        assert not tx.recovery_codes.spend("a2", "d1")
        assert not tx.recovery_codes.spend("nobody", "d1")
        tx.recovery_codes.replace("a1", ["new"])
        assert not tx.recovery_codes.spend("a1", "d1")
        assert tx.recovery_codes.left("a1") == 1
        tx.recovery_codes.replace("a1", [])
        assert (tx.recovery_codes.left("a1"), tx.recovery_codes.left("a2")) == (0, 1)


def test_of_fifty_at_once_one_uses_a_recovery_code(store: Store) -> None:
    with store.begin() as tx:
        tx.recovery_codes.replace("a1", ["d0", "d1"])

    def spend(_: int) -> bool:
        with store.begin() as tx:
            return tx.recovery_codes.spend("a1", "d0")

    assert race(spend).count(True) == 1
    with store.read() as tx:
        assert tx.recovery_codes.left("a1") == 1


# Passkeys


def test_passkeys_are_found_by_id_and_listed_by_account(store: Store) -> None:
    second = passkey(id="key-2", created_at=NOW + MINUTE, last_used_at=None)
    with store.begin() as tx:
        assert tx.passkeys.add(second)
        assert tx.passkeys.add(passkey())
        assert not tx.passkeys.add(passkey(account_id="a2", name="Stolen"))
        assert tx.passkeys.get("key-1") == passkey()
        assert tx.passkeys.get("key-3") is None
        assert tx.passkeys.of("a1") == [passkey(), second]
        assert tx.passkeys.of("a2") == []
        assert not tx.passkeys.remove("a2", "key-1")
        assert tx.passkeys.remove("a1", "key-1")
        assert not tx.passkeys.remove("a1", "key-1")
        assert tx.passkeys.of("a1") == [second]


def test_a_passkeys_count_moves_from_where_it_was_seen(store: Store) -> None:
    with store.begin() as tx:
        tx.passkeys.add(passkey())
        assert tx.passkeys.used(passkey(), 8, NOW + HOUR)
        assert not tx.passkeys.used(passkey(), 9, NOW + HOUR)
        assert tx.passkeys.get("key-1") == passkey(sign_count=8, last_used_at=NOW + HOUR)


def test_of_fifty_uses_of_a_passkey_at_once_one_counts(store: Store) -> None:
    with store.begin() as tx:
        tx.passkeys.add(passkey())

    def use(_: int) -> bool:
        with store.begin() as tx:
            return tx.passkeys.used(passkey(), 8, NOW)

    assert race(use).count(True) == 1


# Secrets that work once, and for a time


TEMPORARY = Credential(Factor.TEMPORARY, "keyed", NOW, expires_at=NOW + HOUR)


def test_a_secrets_end_and_last_step_are_kept_and_replaced_with_it(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.set_credential("a1", dataclasses.replace(TEMPORARY, last_step=58_000_000))
    assert held(store, Factor.TEMPORARY) == dataclasses.replace(TEMPORARY, last_step=58_000_000)
    newer = Credential(Factor.TEMPORARY, "newer", NOW + MINUTE, expires_at=None)
    with store.begin() as tx:
        tx.accounts.set_credential("a1", newer)
        assert not tx.accounts.spend_credential("a1", Factor.TEMPORARY, "keyed", NOW)
    assert held(store, Factor.TEMPORARY) == newer


@pytest.mark.parametrize(("after", "works"), [(-TICK, True), (timedelta(0), False), (TICK, False)])
def test_a_temporary_secret_ends_at_its_moment_exactly(store: Store, after: timedelta, works: bool) -> None:
    with store.begin() as tx:
        tx.accounts.set_credential("a1", TEMPORARY)
        assert tx.accounts.spend_credential("a1", Factor.TEMPORARY, "keyed", NOW + HOUR + after) is works


def test_a_temporary_secret_works_once_and_for_nothing_else(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.set_credential("a1", TEMPORARY)
        tx.accounts.set_credential("a1", credential(hash="keyed"))
        assert not tx.accounts.spend_credential("a2", Factor.TEMPORARY, "keyed", NOW)
        assert not tx.accounts.spend_credential("a1", Factor.PASSWORD, "keyed", NOW)
        assert not tx.accounts.spend_credential("a1", Factor.TEMPORARY, "other", NOW)
        assert tx.accounts.spend_credential("a1", Factor.TEMPORARY, "keyed", NOW + MINUTE)
        assert not tx.accounts.spend_credential("a1", Factor.TEMPORARY, "keyed", NOW + MINUTE)
        # Not even for someone who read the clock before.
        assert not tx.accounts.spend_credential("a1", Factor.TEMPORARY, "keyed", NOW)
        assert not tx.accounts.spend_credential("a1", Factor.TEMPORARY, "keyed", NOW - DAY)
    left = held(store, Factor.TEMPORARY)
    assert left is not None
    assert left.expires_at is not None
    assert left.expires_at < NOW - DAY
    assert held(store, Factor.PASSWORD) == credential(hash="keyed")


def test_of_fifty_at_once_one_uses_the_temporary_secret(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.set_credential("a1", TEMPORARY)

    def spend(number: int) -> bool:
        with store.begin() as tx:
            return tx.accounts.spend_credential("a1", Factor.TEMPORARY, "keyed", NOW + number * SECOND)

    assert race(spend).count(True) == 1


def test_of_fifty_uses_of_a_time_step_at_once_one_counts_and_no_earlier_step_after_it(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.set_credential("a1", Credential(Factor.TOTP, "sealed", NOW))

    def use(_: int) -> bool:
        with store.begin() as tx:
            return tx.accounts.use_step("a1", Factor.TOTP, 100)

    assert race(use).count(True) == 1
    with store.begin() as tx:
        steps = (99, 100, 101, 101, 100, 102, 0)
        assert [tx.accounts.use_step("a1", Factor.TOTP, step) for step in steps] == [
            False,
            False,
            True,
            False,
            False,
            True,
            False,
        ]
        assert not tx.accounts.use_step("a2", Factor.TOTP, 200)


def test_of_fifty_different_steps_at_once_time_only_moves_on(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.set_credential("a1", Credential(Factor.TOTP, "sealed", NOW))

    def use(number: int) -> bool:
        with store.begin() as tx:
            return tx.accounts.use_step("a1", Factor.TOTP, 100 + number)

    assert any(race(use))
    left = held(store, Factor.TOTP)
    assert left is not None
    assert left.last_step == 149


def test_a_secret_taken_away_is_gone_and_taken_once(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.set_credential("a1", TEMPORARY)
        tx.accounts.set_credential("a1", credential())
        tx.accounts.set_credential("a2", TEMPORARY)

    def drop(_: int) -> bool:
        with store.begin() as tx:
            return tx.accounts.drop_credential("a1", Factor.TEMPORARY)

    assert race(drop).count(True) == 1
    assert held(store, Factor.TEMPORARY) is None
    assert held(store, Factor.PASSWORD) == credential()
    assert held(store, Factor.TEMPORARY, "a2") == TEMPORARY


# The lock, and what a cut leaves


def test_whoever_holds_the_lock_sees_what_the_one_before_did(store: Store) -> None:
    def change(number: int) -> str | None:
        with store.begin() as tx:
            before = tx.accounts.locked("a1")
            assert before is not None
            tx.accounts.set_mobile("a1", f"{before.mobile}|")
            return f"{number}"

    race(change)
    with store.begin() as tx:
        after = tx.accounts.locked("a1")
        assert isinstance(after, Account)
        assert after.mobile == f"{account().mobile}{'|' * RUNNERS}"
        assert tx.accounts.locked("nobody") is None


def test_an_address_that_was_changed_is_found_by_the_new_one_alone(store: Store) -> None:
    with store.begin() as tx:
        tx.accounts.set_email("a1", "New@Example.com", NOW)
        assert [one.id for one in tx.accounts.by_email("new@example.COM")] == ["a1"]
        assert [one.id for one in tx.accounts.by_email("ada@example.com")] == ["a2"]
        tx.accounts.set_mobile("a1", None)
        found = tx.accounts.by_id("a1")
        assert found is not None
        assert (found.email, found.mobile, found.email_confirmed_at) == ("New@Example.com", None, NOW)


@pytest.mark.parametrize(("after", "opens"), [(-TICK, False), (timedelta(0), True), (TICK, True)])
def test_a_sign_in_that_began_before_a_cut_opens_nothing(store: Store, after: timedelta, opens: bool) -> None:
    with store.begin() as tx:
        tx.accounts.enrolled("a1", NOW)
        tx.accounts.sessions_valid_from("a1", NOW)
        assert tx.accounts.signed_in("a1", NOW + after) is opens


def test_devices_are_forgotten_but_for_the_one_at_hand(store: Store) -> None:
    with store.begin() as tx:
        for number in range(3):
            tx.devices.remember(device(id=f"d{number}", digest=f"cookie-{number}"))
        tx.devices.remember(device(id="theirs", account_id="a2"))
        tx.devices.forget_all("a1", keep="d1")
        known = [number for number in range(3) if tx.devices.known("a1", f"cookie-{number}", NOW, DAY)]
        assert known == [1]
        assert tx.devices.known("a2", "cookie", NOW, DAY) is not None
        # The id of somebody else's device keeps nothing.
        tx.devices.forget_all("a1", keep="theirs")
        assert tx.devices.known("a1", "cookie-1", NOW, DAY) is None


def test_a_sign_in_that_turns_into_a_recovery_lives_as_long_as_it_then_says(store: Store) -> None:
    before = sign_in(expires_at=NOW + MINUTE)
    store.sign_ins.put(before)
    assert store.sign_ins.swap(before, dataclasses.replace(before, expires_at=NOW + HOUR))
    assert store.sign_ins.get(before.id, NOW + MINUTE) is not None
    assert store.sign_ins.get(before.id, NOW + HOUR - TICK) is not None
    assert store.sign_ins.get(before.id, NOW + HOUR) is None


def test_a_sign_in_that_moves_leaves_nothing_under_its_old_identifier(store: Store) -> None:
    before = sign_in()
    store.sign_ins.put(before)

    def move(number: int) -> bool:
        return store.sign_ins.swap(before, dataclasses.replace(before, id=f"moved-{number}"))

    moved = race(move)
    assert moved.count(True) == 1
    assert store.sign_ins.get(before.id, NOW) is None
    alive = [number for number in range(RUNNERS) if store.sign_ins.get(f"moved-{number}", NOW)]
    assert alive == [moved.index(True)]
