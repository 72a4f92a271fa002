"""D5: forgotten username and password: one page for both; the letter names the username too."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from idp.policies.policy import Policy
from tests.harness import House
from tests.recoveries import masked, templates

KINDS = ("sqlite", "postgresql+redis")


UNDER = {"IDP_PROFILE": "customer-code"}


def alone(policy: Policy) -> Policy:
    """Nothing else is offered."""
    recovery = policy.recovery
    return replace(policy, recovery=replace(recovery, password=replace(recovery.password, enabled=False)))


def test_d05_one_page_leads_to_a_letter_with_both(customer_code: House) -> None:
    house = customer_code
    person = house.customer()
    choice = person.open("/recover")
    assert choice.heading == "What have you forgotten?"
    assert [link for link in choice.links if link.startswith("/recover/")] == [
        "/recover/password",
        "/recover/username_and_password",
    ]
    page = person.recover("username_and_password")
    assert page.step == "MailSent"
    assert "the username and a temporary password" in page.text
    ((letter, context),) = house.letters(person.account)
    assert (letter.template, letter.to) == ("temporary_password", person.account.email)
    assert context["username"] == person.username
    person.walk(person.fill(person.fill(page), username=context["username"], password=context["password"]))
    assert person.signed_in()


@pytest.mark.parametrize("kind", KINDS)
def test_d05_where_it_is_the_only_way_the_link_leads_straight_to_it(new_house: Callable[..., House], kind: str) -> None:
    house = new_house(kind, environ=UNDER, policy=alone)
    person, stranger = house.customer(), house.person()
    (way,) = [link for link in person.ask().links if link.startswith("/recover?")]
    page = person.open(way)
    assert page.heading == "Forgotten your username and password?"
    assert [link for link in page.links if link.startswith("/recover") and "ui_locales" not in link] == []
    person.recover("username_and_password", page=page)
    assert templates(house, person) == ["temporary_password"]
    told = masked(person.elsewhere().recover("username_and_password"))
    unknown = stranger.fill(stranger.open("/recover/username_and_password"), name="Maria Rossi", email="nobody@example.com")
    assert masked(unknown) == told
    assert stranger.open("/recover/password").status == 404


@pytest.mark.parametrize("kind", KINDS)
def test_d05_where_two_people_share_an_address_neither_is_taken_for_the_other(
    new_house: Callable[..., House], kind: str
) -> None:
    house = new_house(kind, environ=UNDER, policy=alone)
    address = f"{house.name('office')}@example.com"
    people = [house.customer(email=address, given_name=name) for name in ("Anna", "Maria")]
    for person in people:
        assert person.elsewhere().recover("username_and_password").step == "MailSent"
        assert templates(house, person) == []


@pytest.mark.parametrize("kind", KINDS)
def test_d05_where_nothing_is_offered_there_is_no_link_and_no_page(new_house: Callable[..., House], kind: str) -> None:
    def closed(policy: Policy) -> Policy:
        recovery = alone(policy).recovery
        shut = replace(recovery.username_and_password, enabled=False)
        return replace(policy, recovery=replace(recovery, username_and_password=shut))

    house = new_house(kind, environ=UNDER, policy=closed)
    person = house.customer()
    page = person.open("/sign-in")
    assert [link for link in page.links if "recover" in link] == []
    assert "Forgotten" not in page.text
    assert person.open("/recover").status == 404
