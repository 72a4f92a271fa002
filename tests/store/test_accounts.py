import dataclasses

import pytest

from idp.model import Account, AccountState, Credential, Factor, Quiet
from idp.store import Store, Taken
from tests.store.facts import HOUR, MINUTE, NOW, account, credential


def in_order(held: Account | None) -> Account:
    """Credentials come in no particular order."""
    assert held is not None
    return dataclasses.replace(held, credentials=tuple(sorted(held.credentials, key=lambda one: one.factor)))


def test_an_account_comes_back_as_it_was_added(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada.lovelace")
    with store.read() as tx:
        assert in_order(tx.accounts.by_id("a1")) == account()
        assert in_order(tx.accounts.by_username("ada.lovelace")) == account()
        assert [in_order(one) for one in tx.accounts.by_email("ada@example.COM")] == [account()]
        assert tx.accounts.bare("a1") == account(credentials=())


def test_an_account_of_bare_necessities(store: Store):
    plain = Account("a2", "bob", "bob@example.com", "", "", AccountState.ACTIVE, NOW)
    with store.begin() as tx:
        tx.accounts.add(plain, "bob")
        # Its state is as old as the account.
        assert tx.accounts.by_id("a2") == dataclasses.replace(plain, state_at=NOW)


def test_nobody_is_nobody(store: Store):
    with store.read() as tx:
        assert tx.accounts.by_id("a1") is None
        assert tx.accounts.bare("a1") is None
        assert tx.accounts.by_email("ada@example.com") == []
        for strange in ("", "ada\0", "\ud800", "x" * 10_000, "'; DROP TABLE accounts; --"):
            assert tx.accounts.by_username(strange) is None
            assert tx.accounts.by_email(strange) == []


def test_a_taken_name_leaves_the_transaction_standing(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        with pytest.raises(Taken):
            tx.accounts.add(account(id="a2", username="ADA"), "ada")
        assert len(tx.accounts.list()) == 1
    with store.read() as tx:
        assert tx.accounts.by_id("a2") is None


def test_pages_hold_whole_accounts(store: Store):
    with store.begin() as tx:
        for number in range(5):
            tx.accounts.add(account(id=f"a{number}"), f"ada{number}")
    with store.read() as tx:
        first = tx.accounts.list(limit=3)
        rest = tx.accounts.list(after=first[-1].id, limit=3)
        assert [one.id for one in first + rest] == ["a0", "a1", "a2", "a3", "a4"]
        assert {len(one.credentials) for one in first + rest} == {2}
        assert [one.id for one in tx.accounts.by_email("ada@example.com")] == ["a0", "a1", "a2", "a3", "a4"]


def test_what_becomes_of_an_account(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(credentials=()), "ada")
        tx.accounts.enrolled("a1", NOW)
        tx.accounts.signed_in("a1", NOW + MINUTE)
        tx.accounts.reactivated("a1", NOW + 2 * MINUTE)
        tx.accounts.sessions_valid_from("a1", NOW + 3 * MINUTE)
        assert tx.accounts.by_id("a1") == account(
            credentials=(),
            state=AccountState.ACTIVE,
            enrolled_at=NOW,
            last_sign_in_at=NOW + MINUTE,
            reactivated_at=NOW + 2 * MINUTE,
            sessions_valid_from=NOW + 3 * MINUTE,
            state_at=NOW,
            quiet=Quiet(),
        )
        tx.accounts.set_state("a1", AccountState.BLOCKED, NOW)
        blocked = tx.accounts.by_id("a1")
        assert blocked is not None
        assert blocked.state is AccountState.BLOCKED


def test_a_rolled_back_change_never_was(store: Store):
    with pytest.raises(ZeroDivisionError), store.begin() as tx:  # noqa: PT012
        tx.accounts.add(account(), "ada")
        _ = 1 / 0
    with store.read() as tx:
        assert len(tx.accounts.list()) == 0


def test_credentials_are_replaced_and_remembered(store: Store):
    hashes = [f"$hash${number}" for number in range(6)]
    with store.begin() as tx:
        tx.accounts.add(account(credentials=()), "ada")
        for number, one in enumerate(hashes):
            changed = Credential(Factor.PASSWORD, one, NOW + number * HOUR, must_change=number == 5)
            tx.accounts.set_credential("a1", changed, keep_history=3)
        tx.accounts.set_credential("a1", credential(Factor.PIN))
        tx.accounts.set_credential("a1", credential(Factor.PIN, hash="$another"))
        held = tx.accounts.by_id("a1")
        assert held is not None
        assert held.credential(Factor.PASSWORD) == Credential(Factor.PASSWORD, hashes[5], NOW + 5 * HOUR, must_change=True)
        assert held.credential(Factor.PIN) == credential(Factor.PIN, hash="$another")
        assert list(tx.accounts.former_hashes("a1", Factor.PASSWORD, 2)) == ["$hash$4", "$hash$3"]
        assert list(tx.accounts.former_hashes("a1", Factor.PASSWORD, 10)) == ["$hash$4", "$hash$3", "$hash$2"]
        assert list(tx.accounts.former_hashes("a1", Factor.PIN, 10)) == []


def test_a_rehash_never_undoes_a_change(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(credentials=(credential(),)), "ada")
        assert tx.accounts.rehash("a1", Factor.PASSWORD, "$hash$password", "$stronger")
        assert not tx.accounts.rehash("a1", Factor.PASSWORD, "$hash$password", "$late")
        assert tx.accounts.by_id("a1") == account(credentials=(credential(hash="$stronger"),))
