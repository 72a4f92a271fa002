"""RFC 7592: a client reads, replaces and deletes its own registration, by a token that changes with every update."""

import json
from dataclasses import replace
from typing import Any

import pytest

from idp.flows import registering_clients as flow
from idp.flows.known_clients import KnownClients
from idp.post import Answer, Outbound
from idp.post.outbound import MOST_BYTES
from idp.store.clients import StoredClient
from tests.oauth.provider import Provider, basic
from tests.oauth.registering import PATH, TOKEN, WEB, bearer, manage, open_registration, registered


@pytest.fixture
def desk(provider: Provider) -> Provider:
    return open_registration(provider)


def update(of: dict[str, Any], **changes: Any) -> dict[str, Any]:
    said = {"client_id": of["client_id"], "client_name": "New", "redirect_uris": [WEB], **changes}
    return {name: value for name, value in said.items() if value is not None}


def test_a_client_reads_its_registration(desk: Provider) -> None:
    said = registered(desk)
    read = manage(desk, "GET", said)
    assert read.status_code == 200
    assert read.headers["Cache-Control"] == "no-store"
    assert read.json == {name: value for name, value in said.items() if name != "client_secret"}


def test_an_update_replaces_all_and_the_token_too(desk: Provider) -> None:
    said = registered(desk, default_max_age=3600, scope="openid profile")
    response = manage(desk, "PUT", said, **update(said, redirect_uris=["https://new.example/other"], scope="openid"))
    after = response.json
    assert response.status_code == 200
    assert (after["redirect_uris"], after["scope"]) == (["https://new.example/other"], "openid")
    assert "default_max_age" not in after
    assert after["registration_access_token"] != said["registration_access_token"]
    assert manage(desk, "GET", said).status_code == 401
    assert manage(desk, "GET", after).json["redirect_uris"] == ["https://new.example/other"]
    form = {"grant_type": "authorization_code", "code": "none"}
    held = desk.http.post("/token", data=form, headers=basic(said["client_id"], said["client_secret"]))
    assert held.json["error"] == "invalid_grant"
    assert ("client.changed", "done") in desk.audit()


def test_a_secret_comes_and_goes_with_the_method(desk: Provider) -> None:
    said = registered(desk)
    without = manage(desk, "PUT", said, **update(said, token_endpoint_auth_method="none")).json
    assert not {"client_secret", "client_secret_expires_at"} & without.keys()
    assert desk.world.clients[said["client_id"]].secret_digests == ()
    again = manage(desk, "PUT", without, **update(said)).json
    assert again["client_secret"] not in {said["client_secret"], ""}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "portal"}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_secret": "chosen by the client"}, "invalid_request"),
        ({"client_secret": 7}, "invalid_request"),
        ({"client_secret": "\ud800"}, "invalid_request"),
        ({"registration_access_token": "x"}, "invalid_request"),
        ({"registration_client_uri": "x"}, "invalid_request"),
        ({"client_secret_expires_at": 0}, "invalid_request"),
        ({"client_id_issued_at": 0}, "invalid_request"),
        ({"redirect_uris": ["http://new.example/"]}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"scope": "service:read"}, "invalid_client_metadata"),
        ({"software_statement": "e30.e30."}, "unapproved_software_statement"),
    ],
)
def test_an_update_that_is_refused_changes_nothing(desk: Provider, changes: dict[str, Any], error: str) -> None:
    said = registered(desk)
    before = manage(desk, "GET", said).json
    response = manage(desk, "PUT", said, **update(said, **changes))
    assert (response.status_code, response.json["error"]) == (400, error)
    assert manage(desk, "GET", said).json == before


def test_its_own_secret_may_be_said(desk: Provider) -> None:
    said = registered(desk)
    assert manage(desk, "PUT", said, **update(said, client_secret=said["client_secret"])).status_code == 200


def test_nobody_manages_another(desk: Provider) -> None:
    said, other = registered(desk), registered(desk)
    for token in (other["registration_access_token"], TOKEN, "guessed", said["client_secret"]):
        for method in ("GET", "PUT", "DELETE"):
            assert manage(desk, method, said, token, **update(said)).status_code == 401
    for client_id in ("portal", "nobody", "%00", "a" * 300):
        assert desk.http.get(f"{PATH}/{client_id}", headers=bearer(said["registration_access_token"])).status_code == 401
    assert desk.http.get(f"{PATH}/{said['client_id']}").status_code == 401
    assert set(desk.failures) == {""}
    desk.throttled = True
    assert manage(desk, "GET", said, "guessed").status_code == 429


def test_an_operator_has_the_last_word(desk: Provider) -> None:
    said = registered(desk)
    client_id = said["client_id"]
    stored = flow.find(desk.world, client_id)
    assert stored is not None
    trusted = flow.change(desk.world, stored, replace(stored.client, consent=False), "cli:o")
    assert isinstance(trusted, StoredClient)
    after = manage(desk, "PUT", said, **update(said, client_name="Newer")).json
    assert (desk.world.clients[client_id].consent, desk.world.clients[client_id].name) == (False, "Newer")
    flow.disable(desk.world, client_id, "cli:o")
    for method in ("GET", "PUT", "DELETE"):
        assert manage(desk, method, after, **update(said)).status_code == 401
    assert desk.world.clients[client_id].disabled


def test_an_operator_is_not_overruled_by_an_update_that_takes_its_time(desk: Provider) -> None:
    """Who updates can have us wait at an address of theirs: what was read before that is no longer so."""
    said = registered(desk)
    client_id = said["client_id"]
    wish = update(said, subject_type="pairwise")
    asked = []

    class Slow(Outbound):
        def get(self, url: str, accept: str = "application/json", most: int = MOST_BYTES) -> Answer:  # noqa: ARG002
            asked.append(flow.disable(desk.world, client_id, "cli:o"))
            return Answer(200, json.dumps([WEB]).encode())

    desk.start(outbound=Slow())
    response = manage(desk, "PUT", said, **wish, sector_identifier_uri="https://new.example/sector")
    assert (response.status_code, len(asked)) == (400, 1)
    assert desk.world.clients[client_id].disabled


def test_one_token_serves_one_update(desk: Provider) -> None:
    """A token that was stolen and used at the same time as by its owner changes nothing after that."""
    said = registered(desk)
    stored = flow.find(desk.world, said["client_id"])
    assert stored is not None
    first = manage(desk, "PUT", said, **update(said, client_name="First"))
    assert first.status_code == 200
    late = flow.change(desk.world, stored, replace(stored.client, name="Thief"), "client", token="digest")
    assert late == flow.Refused(flow.Why.MEANWHILE)
    assert desk.world.clients[said["client_id"]].name == "First"


def test_a_client_of_the_file_is_not_changed_by_one_that_was_here_before(desk: Provider) -> None:
    said = registered(desk)
    client_id = said["client_id"]
    shadow = replace(desk.world.clients["portal"], id=client_id)
    desk.start(clients=KnownClients({client_id: shadow}, desk.store, desk.clock.monotonic))
    for method in ("GET", "PUT", "DELETE"):
        assert manage(desk, method, said, **update(said)).status_code == 401
    desk.start(clients=KnownClients({}, desk.store, desk.clock.monotonic))
    assert manage(desk, "GET", said).status_code == 200


def test_deleted_with_all_it_held(desk: Provider) -> None:
    said = registered(desk, token_endpoint_auth_method="none")
    client_id = said["client_id"]
    desk.door.sign_in()
    with desk.store.begin() as tx:
        tx.client_consents.record("acc_maria", client_id, frozenset({"openid", "billing:read"}), desk.clock())
    code = desk.code(client_id=client_id, redirect_uri=WEB)
    tokens = desk.redeem(code, None, client_id=client_id, redirect_uri=WEB).json
    assert desk.active(tokens["access_token"])["active"] is True
    response = manage(desk, "DELETE", said)
    assert (response.status_code, response.text) == (204, "")
    assert manage(desk, "GET", said).status_code == 401
    assert client_id not in desk.world.clients
    assert desk.active(tokens["access_token"]) == {"active": False}
    with desk.store.read() as tx:
        assert tx.client_consents.scopes("acc_maria", client_id, desk.clock()) == frozenset()
    assert ("client.removed", "done") in desk.audit()


def test_changes_are_counted(desk: Provider) -> None:
    said = registered(desk)
    answers = [manage(desk, "PUT", said, **update(said, client_name=7)).status_code for _ in range(61)]
    assert answers == [400] * 60 + [429]
    assert manage(desk, "GET", said).status_code == 200
