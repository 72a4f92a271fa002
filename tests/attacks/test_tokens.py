"""Attacks on codes and refresh tokens at the token endpoint (cases T of the security plan)."""

from typing import Any

import httpx
import jwt
import pytest

from idp.flows import assist
from tests.harness import House, together
from tests.people import BILLING, PORTAL_CALLBACK, Page, Person

SCOPE = "openid profile email offline_access billing:read service:read"


def refused(answer: httpx.Response, error: str = "invalid_grant", status: int = 400) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert not {"access_token", "refresh_token", "id_token"} & set(answer.json())


def code_for(person: Person, **params: Any) -> Page:
    params.setdefault("scope", SCOPE)
    return person.authorize(resource=[BILLING], **params)


def alive(house: House, issued: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the access token and the refresh token of an answer still count."""
    access = house.introspect(issued["access_token"])["active"]
    refresh = house.introspect(issued["refresh_token"], "portal")["active"]
    return access, refresh


def test_t01_a_code_used_twice_gives_nothing_and_kills_what_it_gave(house: House) -> None:
    person = house.customer()
    page = code_for(person)
    issued = person.redeem(page).json()
    assert alive(house, issued) == (True, True)
    refused(person.redeem(page))
    assert alive(house, issued) == (False, False)
    refused(house.refresh(issued["refresh_token"]))
    assert house.audit("token.code", person.account)[-1].outcome == "refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": None},
        {"redirect_uri": "http://localhost:8081/other"},
        {"redirect_uri": None},
    ],
    ids=str,
)
def test_t02_a_second_use_that_does_not_fit_leaves_the_first_tokens_alive(house: House, changes: dict[str, Any]) -> None:
    person = house.customer()
    page = code_for(person)
    issued = person.redeem(page).json()
    refused(person.redeem(page, **changes))
    assert alive(house, issued) == (True, True)


def test_t02_a_code_presented_by_another_client_is_refused_and_not_spent(house: House) -> None:
    person = house.customer()
    page = code_for(person)
    refused(person.redeem(page, "app", redirect_uri=PORTAL_CALLBACK))
    assert person.redeem(page).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(59.999, 200), (60, 400), (61, 400)])
def test_t04_a_code_lives_sixty_seconds(house: House, seconds: float, status: int) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        page = code_for(person)
        clock.move(seconds=seconds)
        assert person.redeem(page).status_code == status


VERIFIERS = [None, "", "w" * 43, "x", "w" * 129, "é" * 43, "w" * 42 + "\0"]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_t05_a_verifier_that_does_not_fit_gets_nothing_and_spends_nothing(house: House, verifier: str | None) -> None:
    person = house.customer()
    page = code_for(person)
    answer = person.redeem(page, code_verifier=verifier)
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_grant", "invalid_request")
    assert person.redeem(page).status_code == 200


def test_t08_the_challenge_itself_is_no_verifier(house: House) -> None:
    person = house.customer()
    asked = person.request(scope=SCOPE)
    page = person.walk(person.follow(person.get("/authorize", params=asked)))
    refused(person.redeem(page, code_verifier=asked["code_challenge"]))


def test_t07_a_verifier_for_a_code_that_had_no_challenge_is_a_downgrade(house: House) -> None:
    person = house.customer()
    page = person.authorize("old", scope="openid", code_challenge=None, code_challenge_method=None)
    refused(person.redeem(page, "old"))
    assert person.redeem(page, "old", code_verifier=None).status_code == 200


def test_t10_of_fifty_who_redeem_one_code_at_once_at_most_one_gets_tokens(house: House) -> None:
    person = house.customer()
    page = code_for(person)
    answers = together((lambda: person.redeem(page)) for _ in range(50))
    assert all(isinstance(answer, httpx.Response) for answer in answers), answers
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1, statuses
    assert statuses.count(400) == 49
    (issued,) = [answer.json() for answer in answers if answer.status_code == 200]
    # By policy a second right use ends what the first one got: both tokens alike.
    assert alive(house, issued) == (False, False)


def test_t11_a_refresh_token_used_again_kills_its_family_and_the_owner_is_told(house: House) -> None:
    person = house.customer()
    first = person.tokens()
    second = house.refresh(first["refresh_token"]).json()
    house.clock.move(seconds=11)
    refused(house.refresh(first["refresh_token"]))
    assert alive(house, second) == (False, False)
    refused(house.refresh(second["refresh_token"]))
    assert len(house.letters(person.account, "token_reuse")) == 1
    assert [entry.outcome for entry in house.audit("token.refresh", person.account)][-2:] == ["refused", "refused"]


def test_t11_a_retry_within_ten_seconds_is_taken_for_a_lost_answer(house: House) -> None:
    person = house.customer()
    first = person.tokens()
    house.refresh(first["refresh_token"])
    again = house.refresh(first["refresh_token"])
    assert again.status_code == 200
    assert house.refresh(again.json()["refresh_token"]).status_code == 200


def test_t11_a_token_older_than_the_last_kills_its_family_also_within_the_grace(house: House) -> None:
    person = house.customer()
    first = person.tokens()
    second = house.refresh(first["refresh_token"]).json()
    third = house.refresh(second["refresh_token"]).json()
    refused(house.refresh(first["refresh_token"]))
    assert alive(house, third) == (False, False)


def test_t11_a_forged_secret_of_a_known_family_is_taken_for_theft_and_an_unknown_one_for_nothing(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    for forged in ("x", ".", "a.b", "x" * 9000, "\0", issued["access_token"], issued["refresh_token"].upper()):
        answer = house.refresh(forged)
        assert answer.status_code == 400
    assert alive(house, issued) == (True, True)


def test_t10_fifty_rotations_of_one_refresh_token_at_once_leave_one_family_or_none(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    answers = together((lambda: house.refresh(issued["refresh_token"])) for _ in range(50))
    assert all(isinstance(answer, httpx.Response) for answer in answers), answers
    good = [answer.json()["refresh_token"] for answer in answers if answer.status_code == 200]
    assert all(answer.status_code in (200, 400) for answer in answers)
    live = [token for token in good if house.introspect(token, "portal")["active"]]
    assert len(live) <= 1
    assert good


def test_t10_an_invitation_is_spent_once_however_many_browsers_come_with_it(house: House) -> None:
    person, code = house.invited()
    others = [person.elsewhere() for _ in range(10)]
    pages = [other.open(f"/invitation?code={code}") for other in others]
    answers = together(
        (lambda other=other, page=page: other.post(page, {"code": code})) for other, page in zip(others, pages, strict=True)
    )
    assert {answer.status_code for answer in answers} == {303}
    chosen = [other.follow(answer) for other, answer in zip(others, answers, strict=True)]
    together(
        (lambda other=other, page=page: other.fill(page, **other.given(page)))
        for other, page in zip(others, chosen, strict=True)
    )
    assert len(house.audit("credential.set", person.account)) == 1


@pytest.mark.parametrize("client", ["app", "billing"])
def test_t13_a_refresh_token_of_another_client_is_refused_and_stays_alive(house: House, client: str) -> None:
    issued = house.customer().tokens()
    answer = house.refresh(issued["refresh_token"], client)
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_grant", "unauthorized_client")
    assert alive(house, issued) == (True, True)


def test_t13_refresh_is_dead_after_the_account_was_blocked(house: House) -> None:
    person = house.customer()
    issued = person.tokens()
    assist.change_state(house.world, person.username, assist.Act.BLOCK, "test")
    refused(house.refresh(issued["refresh_token"]))
    assert alive(house, issued) == (False, False)


@pytest.mark.parametrize("scope", ["openid admin", "unknown", "openid billing:itemised", 'openid "', "é", "openid  profile"])
def test_t14_refresh_with_a_wider_or_malformed_scope_is_refused_and_rotates_nothing(house: House, scope: str) -> None:
    issued = house.customer().tokens()
    refused(house.refresh(issued["refresh_token"], scope=scope), "invalid_scope")
    assert house.refresh(issued["refresh_token"]).status_code == 200


def test_t14_refresh_with_a_narrower_scope_narrows_one_token_and_not_the_grant(house: House) -> None:
    issued = house.customer().tokens()
    narrow = house.refresh(issued["refresh_token"], scope="openid billing:read", resource=BILLING).json()
    assert set(narrow["scope"].split()) <= {"openid", "billing:read"}
    assert "billing:read" in narrow["scope"].split()
    wide = house.refresh(narrow["refresh_token"], resource=BILLING).json()
    assert set(wide["scope"].split()) == set(issued["scope"].split())


@pytest.mark.parametrize(
    "kind", [None, "", "password", "implicit", "AUTHORIZATION_CODE", "urn:x", "refresh_token ", "\0", "x" * 5000]
)
def test_t16_a_grant_type_that_is_missing_or_unknown_is_refused(house: House, kind: str | None) -> None:
    data = {"username": "a", "password": "b"} | ({} if kind is None else {"grant_type": kind})
    answer = house.token("portal", **data)
    assert answer.status_code == 400
    assert answer.json()["error"] in ("unsupported_grant_type", "invalid_request")


@pytest.mark.parametrize("name", ["grant_type", "refresh_token", "scope", "client_id"])
def test_t16_a_parameter_that_comes_twice_is_refused(house: House, name: str) -> None:
    issued = house.customer().tokens()
    form = {"grant_type": "refresh_token", "refresh_token": issued["refresh_token"], "scope": "openid", "client_id": "portal"}
    answer = house.post("/token", [*form.items(), (name, form[name])], "portal")
    refused(answer, "invalid_request")
    assert alive(house, issued) == (True, True)


def test_t28_a_refresh_freshens_neither_time_nor_level(house: House) -> None:
    person = house.customer()
    with house.clock.stopped() as clock:
        page = person.authorize(scope=SCOPE, resource=[BILLING], acr_values="extra")
        first = person.redeem(page).json()
        clock.move(minutes=11)
        second = house.refresh(first["refresh_token"]).json()
    before, after = (jwt.decode(one["access_token"], options={"verify_signature": False}) for one in (first, second))
    assert before["acr"] == "extra"
    assert after["acr"] == "pwd+pin"
    assert after["auth_time"] == before["auth_time"]
    assert after["iat"] > before["iat"]


def test_t34_a_client_that_acts_for_itself_is_no_person(house: House) -> None:
    answer = house.token("billing", grant_type="client_credentials", scope="service:read").json()
    assert house.userinfo(answer["access_token"]).status_code in (401, 403)
    assert "refresh_token" not in answer
    assert "id_token" not in answer
    refused(house.token("app", grant_type="client_credentials"), "unauthorized_client")
    refused(house.token("portal", grant_type="client_credentials"), "unauthorized_client")
