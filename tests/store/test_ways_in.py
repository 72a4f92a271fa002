from idp.store import Store
from tests.store.facts import DAY, HOUR, MINUTE, NOW, SECOND, account, device, invitation
from tests.store.races import race


def test_devices_are_known_for_their_lifetime(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.devices.remember(device())
        assert tx.devices.known("a1", "cookie", NOW + DAY - SECOND, DAY) == device()
        assert tx.devices.known("a1", "cookie", NOW + DAY, DAY) is None
        assert tx.devices.known("a2", "cookie", NOW, DAY) is None
        assert tx.devices.known("a1", "other", NOW, DAY) is None
        tx.devices.remember(device(id="another", first_seen_at=NOW, last_seen_at=NOW + HOUR))
        assert tx.devices.known("a1", "cookie", NOW + DAY, DAY) == device(last_seen_at=NOW + HOUR)
        tx.devices.remember(device(last_seen_at=NOW + 2 * HOUR))
        assert tx.devices.known("a1", "cookie", NOW + DAY, DAY) == device(last_seen_at=NOW + 2 * HOUR)
        tx.devices.forget_all("a1")
        assert tx.devices.known("a1", "cookie", NOW, DAY) is None


def test_an_account_has_a_list_of_its_devices_and_forgets_its_own_alone(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.accounts.add(account(id="a2", username="bob"), "bob")
        tx.devices.remember(device())
        tx.devices.remember(device(id="d2", digest="other", last_seen_at=NOW + SECOND, agent="firefox"))
        tx.devices.remember(device(id="d3", account_id="a2"))
        assert [one.id for one in tx.devices.of_account("a1", NOW, DAY)] == ["d2", "d1"]
        assert [one.agent for one in tx.devices.of_account("a1", NOW, DAY)] == ["firefox", ""]
        assert [one.id for one in tx.devices.of_account("a1", NOW + DAY, DAY)] == ["d2"]
        assert not tx.devices.forget("a1", "d3")
        assert not tx.devices.forget("a1", "none")
        assert tx.devices.forget("a1", "d2")
        assert not tx.devices.forget("a1", "d2")
        assert [one.id for one in tx.devices.of_account("a1", NOW, DAY)] == ["d1"]
        assert [one.id for one in tx.devices.of_account("a2", NOW, DAY)] == ["d3"]


def test_a_device_is_that_of_whoever_signed_in_last_and_remembers_one_person(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.accounts.add(account(id="a2", username="bob"), "bob")
        assert tx.devices.last("cookie", NOW, DAY) is None
        tx.devices.remember(device())
        tx.devices.remember(device(id="d2", account_id="a2", last_seen_at=NOW + SECOND))
        tx.devices.remember(device(id="d3", account_id="a2", digest="other"))
        assert tx.devices.last("cookie", NOW + DAY, DAY) == device(id="d2", account_id="a2", last_seen_at=NOW + SECOND)
        assert tx.devices.last("cookie", NOW + DAY + SECOND, DAY) is None
        tx.devices.fill_in("cookie", "a1", "mark")
        tx.devices.fill_in("other", "a2", "theirs")
        assert tx.devices.known("a1", "cookie", NOW, DAY) == device(remembered="mark")
        tx.devices.fill_in("cookie", "a2", "newer")
        assert tx.devices.known("a1", "cookie", NOW, DAY) == device()
        last = tx.devices.last("cookie", NOW, DAY)
        assert last is not None
        assert (last.account_id, last.remembered) == ("a2", "newer")
        tx.devices.fill_in("cookie", "a2", None)
        assert tx.devices.last("cookie", NOW, DAY) == device(id="d2", account_id="a2", last_seen_at=NOW + SECOND)
        other = tx.devices.last("other", NOW, DAY)
        assert other is not None
        assert other.remembered == "theirs"


def test_signing_in_again_leaves_what_the_device_remembers(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.devices.remember(device())
        tx.devices.fill_in("cookie", "a1", "mark")
        tx.devices.remember(device(last_seen_at=NOW + HOUR))
        assert tx.devices.last("cookie", NOW, DAY) == device(last_seen_at=NOW + HOUR, remembered="mark")


def test_an_account_has_one_live_invitation(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.invitations.put(invitation())
        assert tx.invitations.live("i1", NOW) == invitation()
        assert tx.invitations.live("i1", NOW + 72 * HOUR - SECOND) == invitation()
        assert tx.invitations.live("i1", NOW + 72 * HOUR) is None
        assert not tx.invitations.spend("i1", NOW + 72 * HOUR)
        tx.invitations.put(invitation(digest="i2"))
        assert tx.invitations.live("i1", NOW) is None
        assert tx.invitations.spend("i2", NOW)
        assert tx.invitations.live("i2", NOW) is None
        assert not tx.invitations.spend("i2", NOW + MINUTE)
        assert not tx.invitations.spend("unknown", NOW)


def test_the_invitation_that_was_not_used_is_found_by_its_account_also_when_its_time_is_over(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        assert tx.invitations.waiting("a1") is None
        tx.invitations.put(invitation())
        tx.invitations.put(invitation(digest="i2", expires_at=NOW - DAY))
        assert tx.invitations.waiting("a1") == invitation(digest="i2", expires_at=NOW - DAY)
        tx.invitations.put(invitation())
        assert tx.invitations.spend("i1", NOW)
        assert tx.invitations.waiting("a1") is None


def test_an_invitation_is_spent_once(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.invitations.put(invitation())

    def spend(_: int) -> bool:
        with store.begin() as tx:
            return tx.invitations.spend("i1", NOW)

    assert race(spend).count(True) == 1
