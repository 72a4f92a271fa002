"""What people are asked to agree to under every profile: before any token, once for a version, and with nothing implied."""

from dataclasses import replace

from idp.model import Agreed
from tests.harness import House
from tests.profiles.laws import agreeing_steps, later_steps, where
from tests.profiles.members import agreed, member


def test_whoever_has_agreed_to_nothing_is_asked_once_before_any_token(portal: House) -> None:
    law = portal.world.policy
    person = member(portal, agreed=())
    seen, page = person.steps_of(person.ask(scope="openid"))
    assert tuple(seen) == (*later_steps(law), *agreeing_steps(law))
    assert "code" in page.answer
    later = person.elsewhere()
    seen, _ = later.steps_of(later.ask(scope="openid"))
    assert tuple(seen) == later_steps(law)
    with portal.world.store.read() as tx:
        written = tx.particulars.ledger(person.account.id)
    assert {(one.to, one.version) for one in written} == {(one.to, one.version) for one in agreed(portal)}


@where(agreeing_steps)
def test_a_new_version_is_asked_at_the_next_sign_in_and_at_clients_before_the_next_token(portal: House) -> None:
    law = portal.world.policy
    person = member(portal, agreed=tuple(replace(one, version="2001-01", given=True) for one in agreed(portal)))
    page = person.walk(person.ask(scope="openid"), until=agreeing_steps(law)[0])
    assert page.step == agreeing_steps(law)[0], page.text
    assert not person.signed_in()
    assert person.ask(prompt="none").answer["error"] == "login_required"
    page = person.walk(page)
    assert "code" in page.answer


@where(lambda law: law.consent.purposes)
def test_each_purpose_is_answered_yes_or_no_none_is_ticked_and_none_implied(portal: House) -> None:
    law = portal.world.policy
    terms = tuple(one for one in agreed(portal) if one.to == "terms")
    person = member(portal, agreed=terms)
    page = person.sign_in(until="AnswerPurposes")
    names = [f"purpose-{name}" for name in law.consent.purposes]
    assert set(names) <= set(page.fields)
    assert " checked" not in page.response.text
    for answers in ({}, {names[0]: "perhaps"}, {names[0]: ""}, dict.fromkeys(names[1:], "yes")):
        refused = person.fill(page, **answers)
        assert (refused.status, refused.step) == (422, "AnswerPurposes")
        assert person.account.agreed == terms
    given = {name: "yes" if place == 0 else "no" for place, name in enumerate(names)}
    person.fill(page, **given)
    assert person.signed_in(), "no is as good an answer as yes"
    assert set(person.account.agreed) - set(terms) == {
        Agreed(name, version, given=place == 0) for place, (name, version) in enumerate(law.consent.purposes.items())
    }
