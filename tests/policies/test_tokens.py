"""The law of codes and tokens, row by row."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from idp.model import (
    AccountState,
    AuthorizationCode,
    Client,
    Factor,
    Grant,
    KeyUse,
    Proof,
    Resource,
    Rotation,
    Session,
    SigningKey,
)
from idp.policies import tokens
from idp.policies.tokens import CodeVerdict, Denied, Error, RefreshVerdict
from tests.policies.values import DAY, MARIA, MINUTE, NOW, POLICY, policy, reminded

ISSUER, BILLING, SERVICE = "https://id.example", "https://billing.example", "https://service.example"
SECOND = timedelta(seconds=1)
BILLS = Resource("billing", BILLING, {"bills": "billing", "itemised": "itemised"}, 5 * MINUTE, "pwd+pin")
FAULTS = Resource("service", SERVICE, {"faults": ""}, 60 * MINUTE)
RESOURCES = {BILLING: BILLS, SERVICE: FAULTS}
CLIENT = Client("portal", "Portal", scope=("openid", "email", "bills", "faults"), resources=(BILLING, SERVICE))
PROOFS = (Proof(Factor.PASSWORD, NOW - MINUTE), Proof(Factor.PIN, NOW))
GRANT = Grant("g", "acc_maria", "portal", ("openid",), (BILLING,), PROOFS, NOW, NOW + DAY, "sid", "sid")
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CODE = AuthorizationCode("d", "g", "https://portal.example/cb", True, CHALLENGE, None, NOW, NOW + MINUTE)


@pytest.mark.parametrize(
    ("asked", "resources", "granted"),
    [
        ("openid openid bills", (BILLS,), "openid bills"),
        ("openid bills faults", (BILLS,), "openid bills"),
        ("openid bills faults", (BILLS, FAULTS), "openid bills faults"),
        ("itemised profile unknown", (BILLS,), ""),
        ("bills", (), ""),
    ],
)
def test_grantable(asked: str, resources: tuple[Resource, ...], granted: str):
    assert tokens.grantable(asked.split(), CLIENT, resources) == tuple(granted.split())


@pytest.mark.parametrize(
    ("asked", "found"), [("bills", (BILLING,)), ("bills faults", ()), ("openid", ()), ("faults x", (SERVICE,))]
)
def test_meant(asked: str, found: tuple[str, ...]):
    assert tokens.meant(asked.split(), CLIENT, RESOURCES) == found


@pytest.mark.parametrize(
    ("asked", "essential", "resources", "levels"),
    [
        ((), False, (), ((), False)),
        ((), False, (BILLS,), (("pwd+pin",), True)),
        (("pwd",), False, (BILLS,), (("pwd+pin",), True)),
        (("extra", "pwd"), True, (), (("extra", "pwd"), True)),
        (("extra",), True, (BILLS,), (("extra",), True)),
        (("extra",), False, (BILLS,), (("pwd+pin",), True)),
        (("unknown",), True, (BILLS,), (("unknown",), True)),
        (("unknown",), False, (), ((), False)),
    ],
)
def test_levels(asked: tuple[str, ...], essential: bool, resources: tuple[Resource, ...], levels: Any):
    assert tokens.levels(asked, essential, resources) == levels


@pytest.mark.parametrize(
    ("offered", "named", "scope", "audience"),
    [
        ((BILLING,), None, ("openid",), BILLING),
        ((), None, ("openid",), ISSUER),
        ((BILLING, SERVICE), None, ("openid",), ISSUER),
        ((BILLING, SERVICE), None, ("bills",), None),
        ((BILLING, SERVICE), SERVICE, ("bills",), SERVICE),
        ((BILLING,), SERVICE, ("openid",), None),
        ((BILLING,), ISSUER, ("openid",), ISSUER),
        ((BILLING,), ISSUER, ("bills",), None),
    ],
)
def test_audience(offered: tuple[str, ...], named: str | None, scope: tuple[str, ...], audience: str | None):
    found = tokens.audience(offered, named, ISSUER, scope)
    assert found == audience if audience else isinstance(found, Denied) and found.error is Error.TARGET


@pytest.mark.parametrize(
    ("offered", "named", "asked", "audience"),
    [
        ((BILLING,), None, None, BILLING),
        ((BILLING,), None, "ssf.read", ISSUER),
        ((BILLING,), None, "ssf.read ssf.manage", ISSUER),
        ((BILLING,), None, "ssf.read bills", BILLING),
        ((BILLING,), BILLING, "ssf.read", BILLING),
        ((BILLING,), ISSUER, None, ISSUER),
        ((BILLING,), "https://elsewhere.example", "ssf.read", None),
        ((), None, None, ISSUER),
        ((BILLING, "https://service.example"), None, None, None),
        ((BILLING, "https://service.example"), None, "ssf.read", ISSUER),
    ],
)
def test_the_audience_of_a_client_for_itself(
    offered: tuple[str, ...], named: str | None, asked: str | None, audience: str | None
):
    found = tokens.own_audience(Client("c", "C", resources=offered), named, asked and tuple(asked.split()), ISSUER)
    assert found == audience if audience else isinstance(found, Denied) and found.error is Error.TARGET


@pytest.mark.parametrize(
    ("asked", "resource", "entitlements", "scope"),
    [
        (None, BILLS, {"billing"}, "bills"),
        (None, BILLS, {"billing", "itemised"}, "bills itemised"),
        (None, BILLS, set(), ""),
        (None, FAULTS, set(), "faults"),
        (None, BILLS, None, "bills itemised"),
        (None, None, {"billing"}, "openid"),
        ("bills bills", BILLS, {"billing"}, "bills"),
        ("itemised", BILLS, {"billing"}, None),
        ("bills wider", BILLS, {"billing"}, None),
        ("ssf.read", None, None, "ssf.read"),
        ("ssf.read", None, {"billing"}, None),
        ("ssf.read", BILLS, None, None),
        ("openid", None, None, None),
    ],
)
def test_token_scope(asked: str | None, resource: Resource | None, entitlements: set[str] | None, scope: str | None):
    wished = None if asked is None else tuple(asked.split())
    granted = ("openid", "bills", "itemised", "faults", "ssf.read")
    found = tokens.token_scope(granted, wished, resource, None if entitlements is None else frozenset(entitlements))
    assert found == tuple(scope.split()) if scope is not None else isinstance(found, Denied) and found.error is Error.SCOPE


@pytest.mark.parametrize(
    ("scope", "resource", "entitlements", "left"),
    [
        ("bills itemised", BILLS, {"billing", "itemised"}, "bills itemised"),
        ("bills itemised", BILLS, {"billing"}, "bills"),
        ("bills itemised", BILLS, set(), None),
        ("bills itemised", BILLS, {"other"}, None),
        ("", BILLS, set(), ""),
        ("openid profile", None, set(), "openid profile"),
    ],
)
def test_a_token_is_worth_no_more_than_the_entitlements_that_are_left(
    scope: str, resource: Resource | None, entitlements: set[str], left: str | None
):
    found = tokens.still_entitled(scope.split(), resource, frozenset(entitlements))
    assert found == (None if left is None else tuple(left.split()))


@pytest.mark.parametrize(
    ("grant", "account", "now", "good"),
    [
        ({}, {}, NOW, True),
        ({"revoked_at": NOW}, {}, NOW, False),
        ({}, {}, NOW + DAY, False),
        ({}, {}, NOW + DAY - SECOND, True),
        ({}, {"state": AccountState.BLOCKED}, NOW, False),
        ({}, {"state": AccountState.INVITED}, NOW, False),
        ({}, {"state": AccountState.PENDING}, NOW, False),
        ({}, {"state": AccountState.LEAVING, "state_at": NOW}, NOW, False),
        ({}, {"last_sign_in_at": NOW - 130 * DAY, "enrolled_at": None, "created_at": NOW - 200 * DAY}, NOW, False),
        ({}, {"sessions_valid_from": NOW + SECOND}, NOW, False),
        ({}, {"sessions_valid_from": NOW}, NOW, True),
    ],
)
def test_alive(grant: dict[str, Any], account: dict[str, Any], now: datetime, good: bool):
    assert (tokens.alive(replace(GRANT, **grant), reminded(replace(MARIA, **account)), POLICY, now) is None) is good


@pytest.mark.parametrize(
    ("code", "changes", "verdict"),
    [
        ({}, {}, CodeVerdict.REDEEM),
        ({"used_at": NOW}, {}, CodeVerdict.REPLAYED),
        ({"expires_at": NOW}, {}, None),
        ({"used_at": NOW}, {"client_id": "other"}, None),
        ({"used_at": NOW}, {"verifier": "x"}, None),
        ({}, {"client_id": "other"}, None),
        ({}, {"redirect_uri": "https://portal.example/"}, None),
        ({}, {"redirect_uri": None}, None),
        ({"redirect_uri_given": False}, {"redirect_uri": None}, CodeVerdict.REDEEM),
        ({}, {"verifier": None}, None),
        ({}, {"verifier": CHALLENGE}, None),
        ({}, {"verifier": "\ud800"}, None),
        ({"code_challenge": None}, {}, None),
        ({"code_challenge": None}, {"verifier": None}, CodeVerdict.REDEEM),
    ],
)
def test_judge_code(code: dict[str, Any], changes: dict[str, Any], verdict: CodeVerdict | None):
    request = {"client_id": "portal", "redirect_uri": CODE.redirect_uri, "verifier": VERIFIER} | changes
    judged = tokens.judge_code(replace(CODE, **code), GRANT, NOW, **request)
    assert judged == verdict if verdict else isinstance(judged, Denied)


@pytest.mark.parametrize(
    ("presented", "client", "after", "verdict"),
    [
        ("live", "portal", 0, RefreshVerdict.ROTATE),
        ("last", "portal", 0, RefreshVerdict.AGAIN),
        ("last", "portal", 9, RefreshVerdict.AGAIN),
        ("last", "portal", 10, RefreshVerdict.REUSED),
        ("older", "portal", 0, RefreshVerdict.REUSED),
        ("live", "other", 0, None),
    ],
)
def test_judge_refresh(presented: str, client: str, after: int, verdict: RefreshVerdict | None):
    rotation = Rotation("h", GRANT, "live", "last", NOW)
    judged = tokens.judge_refresh(rotation, presented, Client(client, ""), None, POLICY, NOW + after * SECOND)
    assert judged == verdict if verdict else isinstance(judged, Denied)


def test_no_grace_at_all():
    strict = policy(tokens={"reuse_grace": timedelta(0)})
    assert (
        tokens.judge_refresh(Rotation("h", GRANT, "live", "last", NOW), "last", Client("portal", ""), None, strict, NOW)
        is RefreshVerdict.REUSED
    )


def test_lifetimes():
    session = Session("d", "sid", "acc_maria", PROOFS, NOW - 60 * MINUTE, NOW, NOW + 30 * MINUTE)
    assert tokens.grant_expires_at(session, True, POLICY, NOW) == NOW + 30 * DAY
    assert tokens.grant_expires_at(session, False, POLICY, NOW) == NOW + timedelta(hours=11)
    assert tokens.refresh_expires_at(replace(GRANT, expires_at=NOW + 30 * DAY), POLICY, NOW) == NOW + DAY
    assert tokens.refresh_expires_at(replace(GRANT, expires_at=NOW + MINUTE), POLICY, NOW) == NOW + MINUTE
    assert [tokens.access_lifetime(resource, POLICY) for resource in (BILLS, FAULTS, None)] == [
        5 * MINUTE,
        10 * MINUTE,
        10 * MINUTE,
    ]


def test_the_life_of_a_key():
    key = SigningKey("k", "ES256", KeyUse.NEXT, {}, b"", NOW)
    assert tokens.may_sign_from(key, POLICY) == NOW + DAY
    gone = tokens.key_dropped_at(POLICY, NOW)
    assert gone == NOW + 11 * MINUTE
    retired = replace(key, use=KeyUse.RETIRED, drop_after=gone)
    assert [tokens.dropped(retired, moment) for moment in (NOW, gone - SECOND, gone)] == [False, False, True]
    assert not tokens.dropped(key, gone + DAY)


def test_what_an_id_token_says():
    grant = replace(
        GRANT, scope=("openid", "email"), claims=("id_token:given_name", "userinfo:phone_number", "id_token:unknown")
    )
    claims = tokens.id_claims(
        grant, MARIA, POLICY, NOW, issuer=ISSUER, subject="sub", nonce="n", at_hash="h"
    ) | tokens.evidence(grant, POLICY, NOW)
    assert claims == {
        "iss": ISSUER,
        "sub": "sub",
        "aud": "portal",
        "azp": "portal",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 600,
        "nonce": "n",
        "at_hash": "h",
        "sid": "sid",
        "acr": "pwd+pin",
        "amr": ["pwd", "pin"],
        "auth_time": int((NOW - MINUTE).timestamp()),
        "email": MARIA.email,
        "email_verified": True,
        "given_name": "Maria",
    }


def test_what_is_not_known_is_not_told():
    assert tokens.person(replace(MARIA, mobile=None), ("openid", "phone")) == {}
    assert tokens.wanted(replace(GRANT, claims=("userinfo:email",)), "id_token") == []
