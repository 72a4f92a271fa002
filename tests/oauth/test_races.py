"""Fifty at once with one code or one token: one statement decides, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from werkzeug.test import TestResponse

from tests.oauth.clients import BILLING
from tests.oauth.proofs import App
from tests.oauth.provider import Provider
from tests.oauth.requests import asserted
from tests.oauth.test_rfc8628_device import answer, codes, poll
from tests.servers import Kind, fresh_store

CROWD = 50


@pytest.fixture(params=["sqlite", "postgresql"])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Provider]:
    kind: Kind = request.param
    store = fresh_store(kind, tmp_path)
    made = Provider(store)
    policy = made.world.policy
    made.start(policy=replace(policy, tokens=replace(policy.tokens, reuse_grace=timedelta(0))))
    yield made
    store.close()


def at_once(present: Callable[[], TestResponse]) -> list[TestResponse]:
    barrier, answers = Barrier(CROWD), []

    def one() -> None:
        barrier.wait()
        answers.append(present())

    threads = [Thread(target=one) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_code_gives_one_set_of_tokens_and_the_other_uses_end_it(provider: Provider):
    code = provider.code()
    answers = at_once(lambda: provider.redeem(code))
    good = [answer.json for answer in answers if answer.status_code == 200]
    assert len(answers) == CROWD
    assert len(good) == 1
    assert {answer.json["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    assert provider.active(good[0]["access_token"]) == {"active": False}
    assert provider.refresh(good[0]["refresh_token"]).json["error"] == "invalid_grant"


def test_one_refresh_token_gives_one_successor(provider: Provider):
    token = provider.tokens()["refresh_token"]
    answers = at_once(lambda: provider.refresh(token))
    assert len(answers) == CROWD
    assert [answer.status_code for answer in answers].count(200) == 1
    assert all(answer.status_code in {200, 400} for answer in answers)


def test_one_assertion_is_good_once(provider: Provider):
    form = {"grant_type": "client_credentials", **asserted(provider, "robot")}
    answers = at_once(lambda: provider.token(None, **form))
    assert [answer.status_code for answer in answers].count(200) == 1


def test_one_proof_is_good_once(provider: Provider):
    app, wish = App(provider, "keyed"), {"grant_type": "client_credentials", "resource": BILLING}
    assert app.token(**wish).status_code == 200
    proof = app.proof()
    answers = at_once(lambda: provider.token("keyed", headers={"DPoP": proof}, **wish))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.json["error"] for answer in answers if answer.status_code != 200} == {"invalid_dpop_proof"}


def test_a_device_that_asks_fifty_times_at_once_keeps_what_it_gets(provider: Provider):
    """One question is answered; the others came too soon, and end nothing (RFC 8628 3.5)."""
    told = codes(provider)
    answer(provider, told["user_code"])
    answers = at_once(lambda: poll(provider, told["device_code"]))
    good = [one.json for one in answers if one.status_code == 200]
    assert len(good) == 1
    assert {one.json["error"] for one in answers if one.status_code != 200} == {"slow_down"}
    assert provider.active(good[0]["access_token"])["active"]
