"""T2: backends validate offline from the published keys, which rotate without downtime, or online by introspection."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from idp.flows.keys import TooEarly, rotate
from tests.harness import House
from tests.people import BILLING


def kid_of(token: str) -> str:
    found: str = jwt.get_unverified_header(token)["kid"]
    return found


def published(house: House) -> list[str]:
    answer = house.get("/jwks.json")
    assert "max-age" in answer.headers["Cache-Control"]
    return [key["kid"] for key in answer.json()["keys"]]


def test_t02_the_published_keys_hold_no_private_part_and_verify_with_an_independent_library(house: House) -> None:
    issued = house.customer().tokens()
    jwks = house.get("/jwks.json").json()
    for key in jwks["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
        assert key["use"] == "sig"
        assert key["alg"] in ("ES256", "RS256")
    keys = jwt.PyJWKSet.from_dict(jwks)
    options: Any = {"verify_exp": False, "verify_iat": False}
    access = jwt.decode(issued["access_token"], keys[kid_of(issued["access_token"])], ["ES256"], options, audience=BILLING)
    identity = jwt.decode(issued["id_token"], keys[kid_of(issued["id_token"])], ["RS256"], options, audience="portal")
    assert access["sub"] == identity["sub"]
    assert access["sid"] == identity["sid"]


def test_t02_keys_rotate_without_downtime_the_next_published_ahead_the_last_kept(new_house: Callable[..., House]) -> None:
    house = new_house()
    person = house.customer()
    before = published(house)
    old = person.tokens()
    assert kid_of(old["access_token"]) in before
    assert isinstance(rotate(house.world), TooEarly)
    house.clock.move(hours=25)
    assert not isinstance(rotate(house.world), TooEarly)
    # Every process looks at the stored keys again by then.
    house.clock.move(seconds=31)
    new = person.elsewhere().tokens()
    after = published(house)
    # A backend that fetched the keys before the rotation knows the key that signs now; one that fetches now, the old one.
    assert kid_of(new["access_token"]) in before
    assert kid_of(new["access_token"]) != kid_of(old["access_token"])
    assert kid_of(old["access_token"]) in after
    assert kid_of(new["id_token"]) in before
    # The key that signs next is out already.
    assert len(set(after) - set(before)) == 2


def test_t02_introspection_says_what_offline_validation_would_and_who_asks_must_prove_itself(house: House) -> None:
    person = house.customer()
    token = person.tokens()["access_token"]
    told = house.introspect(token)
    assert told["active"] is True
    assert (told["aud"], told["sub"], told["client_id"]) == (BILLING, person.account.id, "portal")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert {name: told[name] for name in ("iss", "exp", "iat", "scope", "jti", "acr")} == {
        name: claims[name] for name in ("iss", "exp", "iat", "scope", "jti", "acr")
    }
    assert house.post("/introspect", {"token": token}).status_code == 401


def test_t02_introspection_by_the_other_backend_tells_nothing(house: House) -> None:
    token = house.customer().tokens()["access_token"]
    assert house.introspect(token, "service") == {"active": False}
    assert house.introspect("nothing", "service") == {"active": False}


@pytest.mark.parametrize("seconds", [599, 600])
def test_t02_a_token_lives_ten_minutes_exactly(house: House, seconds: int) -> None:
    with house.clock.stopped() as clock:
        person = house.customer()
        issued = person.tokens()
        assert issued["expires_in"] == 600
        claims = jwt.decode(issued["access_token"], options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == 600
        clock.move(seconds=claims["exp"] - clock().timestamp() + seconds - 600)
        assert house.introspect(issued["access_token"])["active"] is (seconds < 600)


def test_t02_the_two_metadata_documents_agree_and_name_what_there_is(house: House) -> None:
    oauth = house.get("/.well-known/oauth-authorization-server").json()
    openid = house.get("/.well-known/openid-configuration").json()
    assert {name: openid[name] for name in oauth} == oauth
    assert openid["issuer"] == house.url
    for name, address in openid.items():
        if name.endswith(("_endpoint", "_uri")) and isinstance(address, str):
            assert address.startswith(house.url + "/")
            assert house.get(address.removeprefix(house.url)).status_code != 404, name
