import dataclasses

from idp.model import Account, AuthorizationCode, Grant, Rotation
from idp.store import Store
from tests.store.facts import DAY, HOUR, MINUTE, NOW, SECOND, account, code, grant
from tests.store.races import race


def opened(store: Store) -> Store:
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        tx.grants.open(grant(), code())
        assert tx.grants.start_refresh("g1", "h1", "r0", NOW, NOW + DAY)
    return store


def test_a_code_comes_back_with_its_grant(store: Store):
    bare = AuthorizationCode("c2", "g2", "https://x", False, None, None, NOW, NOW + MINUTE)
    modest = Grant("g2", "a1", "app", (), (), (), NOW, NOW + DAY)
    with store.begin() as tx:
        tx.grants.open(grant(), code())
        tx.grants.open(modest, bare)
        assert tx.grants.find_code("c1") == (code(), grant())
        assert tx.grants.find_code("c2") == (bare, modest)
        assert tx.grants.find_code("c3") is None


def test_a_code_is_spent_once_and_in_time(store: Store):
    with store.begin() as tx:
        tx.grants.open(grant(), code())
        assert not tx.grants.spend_code("c1", NOW + MINUTE)
        assert tx.grants.spend_code("c1", NOW + SECOND)
        assert not tx.grants.spend_code("c1", NOW + 2 * SECOND)
        assert tx.grants.find_code("c1") == (code(used_at=NOW + SECOND), grant())


def test_a_code_is_spent_by_one(store: Store):
    opened(store)

    def spend(_: int) -> bool:
        with store.begin() as tx:
            return tx.grants.spend_code("c1", NOW)

    assert race(spend).count(True) == 1


def test_rotation(store: Store):
    opened(store)
    later = NOW + HOUR
    with store.begin() as tx:
        assert tx.grants.rotation("h1") == Rotation("h1", grant(), "r0", None, NOW)
        assert not tx.grants.start_refresh("g1", "h2", "r9", NOW, NOW + DAY)
        assert tx.grants.rotate("h1", "r0", "r1", later, later + DAY) == grant()
        assert tx.grants.rotation("h1") == Rotation("h1", grant(), "r1", "r0", later)
        assert tx.grants.rotate("h1", "r0", "r2", later, later + DAY) is None
        assert tx.grants.rotate("unknown", "r1", "r2", later, later + DAY) is None
        # Once the idle time is over, the live token is dead too.
        assert tx.grants.rotate("h1", "r1", "r2", later + DAY, later + 2 * DAY) is None
        assert tx.grants.rotation("unknown") is None


def test_an_answer_that_was_lost_is_given_again(store: Store):
    opened(store)
    with store.begin() as tx:
        tx.grants.rotate("h1", "r0", "r1", NOW, NOW + DAY)
        soon = NOW + 5 * SECOND
        assert tx.grants.rotate_again("h1", "r0", "r2", soon, NOW + SECOND) is None
        assert tx.grants.rotate_again("h1", "r1", "r2", soon, NOW) is None
        assert tx.grants.rotate_again("h1", "r0", "r2", soon, NOW) == grant()
        assert tx.grants.rotation("h1") == Rotation("h1", grant(), "r2", "r0", NOW)
        assert tx.grants.rotate("h1", "r1", "r3", soon, soon + DAY) is None
        assert tx.grants.rotate("h1", "r2", "r3", soon, soon + DAY) == grant()


def test_of_those_who_present_one_token_one_rotates(store: Store):
    opened(store)

    def rotate(number: int) -> bool:
        with store.begin() as tx:
            return tx.grants.rotate("h1", "r0", f"fresh-{number}", NOW, NOW + DAY) is not None

    won = race(rotate)
    assert won.count(True) == 1
    with store.read() as tx:
        held = tx.grants.rotation("h1")
    assert held is not None
    assert held.current == f"fresh-{won.index(True)}"


def test_a_revoked_family_is_dead_by_every_path(store: Store):
    opened(store)
    dead = dataclasses.replace(grant(), revoked_at=NOW)
    with store.begin() as tx:
        assert tx.grants.revoke_by_handle("h1", NOW) == dead
        assert tx.grants.revoke_by_handle("h1", NOW + SECOND) is None
        assert tx.grants.revoke("g1", NOW + SECOND) is None
        assert tx.grants.alive("g1", "j1", NOW) is None
        assert tx.grants.rotate("h1", "r0", "r1", NOW, NOW + DAY) is None
        assert tx.grants.rotate_again("h1", "r0", "r1", NOW, NOW) is None
        assert tx.grants.rotation("h1") == Rotation("h1", dead, "r0", None, NOW)
        tx.grants.open(grant(id="g2"), code(digest="c2", grant_id="g2"))
        assert tx.grants.revoke("g2", NOW) == grant(id="g2", revoked_at=NOW)
        assert not tx.grants.start_refresh("g2", "h2", "r0", NOW, NOW + DAY)


def test_many_are_revoked_at_once(store: Store):
    with store.begin() as tx:
        for number, facts in enumerate(
            (
                {"session": "s1"},
                {"session": "s1", "client_id": "app"},
                {"session": None, "client_id": "app"},
                {"session": "s2", "account_id": "a2"},
                {"session": None, "account_id": "a2"},
            )
        ):
            tx.grants.open(grant(id=f"g{number}", **facts), code(digest=f"c{number}", grant_id=f"g{number}"))
        assert {one.id for one in tx.grants.revoke_session("s1", NOW)} == {"g0", "g1"}
        assert {one.id for one in tx.grants.revoke_client("a1", "app", NOW)} == {"g2"}
        assert {one.id for one in tx.grants.revoke_account("a2", NOW)} == {"g3", "g4"}
        assert tx.grants.revoke_account("a1", NOW) == []


def test_everything_elsewhere_ends_but_what_is_bound_to_one_session(store: Store):
    facts = ({"session": "s1"}, {"session": "s2"}, {"session": None}, {"session": "s3", "account_id": "a2"})
    with store.begin() as tx:
        for number, more in enumerate(facts):
            tx.grants.open(grant(id=f"g{number}", **more), code(digest=f"c{number}", grant_id=f"g{number}"))
        assert {one.id for one in tx.grants.revoke_elsewhere("a1", "s1", NOW)} == {"g1", "g2"}
        assert tx.grants.revoke_elsewhere("a1", "s1", NOW) == []
        assert {one.id for one in tx.grants.revoke_account("a1", NOW)} == {"g0"}


def test_alive_tells_of_grant_account_and_denial(store: Store):
    opened(store)
    with store.begin() as tx:
        tx.grants.open(grant(id="g2", account_id="purged"), code(digest="c2", grant_id="g2"))
        known: Account = account(credentials=())
        assert tx.grants.alive("g1", "j1", NOW) == (grant(), known)
        assert tx.grants.alive("g1", None, NOW) == (grant(), known)
        assert tx.grants.alive("g2", "j1", NOW) == (grant(id="g2", account_id="purged"), None)
        assert tx.grants.alive("unknown", "j1", NOW) is None
        assert tx.grants.alive("g1", "j1", NOW + 30 * DAY) is None
        tx.denied.deny("j1", NOW + HOUR)
        tx.denied.deny("j1", NOW + HOUR)
        assert tx.denied.is_denied("j1")
        assert not tx.denied.is_denied("j2")
        assert tx.grants.alive("g1", "j1", NOW) is None
        assert tx.grants.alive("g1", "j2", NOW) is not None


def test_consents_by_scope_and_moment(store: Store):
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        consents = tx.client_consents
        consents.record("a1", "app", frozenset({"openid", "bills"}), NOW)
        consents.record("a1", "app", frozenset({"bills", "faults"}), NOW + DAY)
        consents.record("a1", "app", frozenset(), NOW + DAY)
        assert consents.scopes("a1", "app", NOW) == {"openid", "bills", "faults"}
        assert consents.scopes("a1", "app", NOW + SECOND) == {"bills", "faults"}
        assert consents.scopes("a1", "other", NOW) == frozenset()
        consents.withdraw("a1", "app")
        assert consents.scopes("a1", "app", NOW) == frozenset()


def test_what_lives_of_an_account_and_what_began_in_a_session(store: Store):
    with store.begin() as tx:
        for name, facts in {
            "bound": {"session": "s1", "sid": "s1"},
            "offline": {"session": None, "sid": "s1"},
            "elsewhere": {"session": "s2", "sid": "s2"},
            "elsewhere offline": {"session": None, "sid": "s2"},
            "over": {"session": "s1", "sid": "s1", "expires_at": NOW},
            "another's": {"session": "s1", "sid": "s1", "account_id": "a2"},
        }.items():
            tx.grants.open(grant(id=name, **facts), code(digest=name, grant_id=name))
        tx.grants.revoke("bound", NOW - SECOND)
        tx.grants.revoke("elsewhere", NOW)
        assert {one.id for one in tx.grants.begun_in("a1", "s1", NOW)} == {"bound", "offline"}
        assert {one.id for one in tx.grants.living("a1", NOW)} == {"offline", "elsewhere", "elsewhere offline"}
        assert {one.id for one in tx.grants.living("a1", NOW + SECOND)} == {"offline", "elsewhere offline"}
