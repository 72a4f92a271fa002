"""X1: each decision in the audit log carries the facts it used and the digest of the policy that decided it."""

from tests.harness import House


def test_x01_every_attempt_is_recorded_with_its_facts_and_the_digest_of_the_policy(house: House) -> None:
    owner = house.customer()
    owner.try_password()
    owner.try_password()
    owner.sign_in()
    attempts = house.audit("attempt", owner.account)
    assert [(entry.outcome, entry.facts["factor"]) for entry in attempts] == [
        ("wrong", "password"),
        ("wrong", "password"),
        ("right", "password"),
        ("right", "pin"),
    ]
    assert [entry.facts["failures"] for entry in attempts] == [0, 1, 2, 0]
    assert [entry.facts["consecutive"] for entry in attempts] == [0, 1, 2, 0]
    for entry in attempts:
        assert entry.facts["device_class"] == "unknown"
        assert entry.facts["bucket"]
        assert entry.facts["agent"] == "chrome"
        assert entry.policy == house.world.policy.digest
    (signed_in,) = house.audit("sign_in", owner.account)
    assert signed_in.facts["proofs"] == ["password", "pin"]


def test_x01_the_text_of_the_policy_that_decided_is_kept_under_its_digest(house: House) -> None:
    with house.world.store.read() as tx:
        kept = tx.policies.get(house.world.policy.digest)
    assert kept is not None
    assert house.world.policy.name in kept.document


def test_x01_an_attempt_at_a_locked_factor_and_at_an_unknown_name_is_recorded_too(house: House) -> None:
    owner = house.customer()
    for _ in range(6):
        owner.try_password()
    assert [entry.outcome for entry in house.audit("attempt", owner.account)] == ["wrong"] * 5 + ["shut"]
    nobody = house.person(username=house.name("nobody"))
    nobody.try_password()
    (entry,) = [entry for entry in house.audit("attempt") if entry.facts.get("subject")][-1:]
    assert entry.account_id is None
    assert str(entry.facts["subject"]).startswith("decoy-")
    assert nobody.username not in repr(entry)


def test_x01_the_device_class_is_recorded(house: House) -> None:
    owner = house.customer()
    owner.sign_in()
    owner.client.cookies.delete("idp_session")
    owner.sign_in()
    classes = [entry.facts["device_class"] for entry in house.audit("attempt", owner.account)]
    assert classes == ["unknown", "unknown", "known", "known"]


def test_x01_no_audit_row_holds_a_secret(house: House) -> None:
    owner = house.customer()
    owner.try_password("canary-of-a-password")
    page = owner.sign_in(until="AskPin")
    owner.fill(page, pin="918273")
    told = repr(house.audit(account=owner.account))
    for secret in (owner.password, owner.pin, owner.answer, "canary-of-a-password", "918273"):
        assert secret not in told
