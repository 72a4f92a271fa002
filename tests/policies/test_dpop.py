"""The law of proofs of possession, case by case."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.policies import dpop
from idp.policies.client_keys import FAPI_ALGORITHMS
from idp.policies.dpop import Expected, Fault
from tests.policies.values import MINUTE, NOW

SECOND = timedelta(seconds=1)

EXPECTED = Expected("POST", "https://id.example/token", ("now", "before"))
POINT = {"kty": "EC", "crv": "P-256", "x": "x" * 43, "y": "y" * 43}
MODULUS = {"kty": "RSA", "n": "n" * 342, "e": "AQAB"}
HEADER = {"typ": "dpop+jwt", "alg": "ES256", "jwk": POINT}
CLAIMS = {"htm": "POST", "htu": "https://id.example/token", "iat": NOW.timestamp(), "jti": "one"}


@pytest.mark.parametrize(
    ("header", "claims", "expected", "fault"),
    [
        ({}, {}, {}, None),
        ({"typ": "DPOP+JWT"}, {}, {}, Fault.KIND),
        ({"alg": "HS256"}, {}, {}, Fault.KIND),
        ({"alg": "RS256", "jwk": MODULUS}, {}, {}, None),
        ({"alg": "RS256", "jwk": MODULUS}, {}, {"algorithms": FAPI_ALGORITHMS}, Fault.KIND),
        ({"alg": "PS256", "jwk": MODULUS}, {}, {"algorithms": FAPI_ALGORITHMS}, None),
        ({"alg": "PS256"}, {}, {}, Fault.KEY),
        ({"jwk": MODULUS}, {}, {}, Fault.KEY),
        ({"jwk": POINT | {"crv": "P-384"}}, {}, {}, Fault.KEY),
        ({"jwk": POINT | {"x": "x" * 42}}, {}, {}, Fault.KEY),
        ({"jwk": POINT | {"y": 7}}, {}, {}, Fault.KEY),
        ({"jwk": POINT | {"d": "d"}}, {}, {}, Fault.KEY),
        ({"jwk": POINT | {"kid": "mine", "use": "sig", "alg": "ES256"}}, {}, {}, None),
        ({"alg": "RS256", "jwk": MODULUS | {"n": "n" * 341}}, {}, {}, Fault.KEY),
        ({"alg": "RS256", "jwk": MODULUS | {"n": "n" * 684}}, {}, {}, Fault.KEY),
        ({"alg": "RS256", "jwk": MODULUS | {"e": "AQABAQAB"}}, {}, {}, Fault.KEY),
        ({}, {"htm": "GET"}, {}, Fault.REQUEST),
        ({}, {"htu": "https://id.example/token?x=1"}, {}, None),
        ({}, {"htu": "https://id.example"}, {"address": "https://ID.EXAMPLE:443/"}, None),
        ({}, {"htu": "https://id.example.evil/token"}, {}, Fault.REQUEST),
        ({}, {"jti": "x" * 256}, {}, None),
        ({}, {"jti": "x" * 257}, {}, Fault.ID),
        ({}, {"iat": (NOW - MINUTE).timestamp()}, {}, None),
        ({}, {"iat": (NOW - MINUTE - SECOND).timestamp()}, {}, Fault.TIME),
        ({}, {"iat": (NOW + MINUTE + SECOND).timestamp()}, {}, Fault.TIME),
        ({}, {"iat": float("nan")}, {}, Fault.TIME),
        ({}, {"ath": "any"}, {}, None),
        ({}, {"ath": "hash"}, {"token_hash": "hash"}, None),
        ({}, {}, {"token_hash": "hash"}, Fault.TOKEN),
        ({}, {"ath": "other"}, {"token_hash": "hash"}, Fault.TOKEN),
        ({}, {}, {"nonce_needed": True}, Fault.NONCE),
        ({}, {"nonce": "before"}, {"nonce_needed": True}, None),
        ({}, {"nonce": "before"}, {}, None),
        ({}, {"nonce": "older"}, {}, Fault.NONCE),
        ({}, {"nonce": {"now": 1}}, {}, Fault.NONCE),
    ],
)
def test_judge(header: dict[str, Any], claims: dict[str, Any], expected: dict[str, Any], fault: Fault | None):
    assert dpop.judge(HEADER | header, CLAIMS | claims, replace(EXPECTED, **expected), NOW) is fault


def test_a_used_proof_is_known_for_as_long_as_it_could_be_good():
    made_ahead = NOW + dpop.WINDOW
    assert dpop.remembered_until(NOW) > made_ahead + dpop.WINDOW


def test_a_nonce_outlives_the_period_in_which_it_was_told():
    told, before = dpop.nonce_periods(NOW)
    assert (told, before) == (str(int(before) + 1), before)
    assert told in dpop.nonce_periods(NOW + dpop.NONCE_PERIOD)
    assert told not in dpop.nonce_periods(NOW + 2 * dpop.NONCE_PERIOD)
    assert timedelta(minutes=5) == 2 * dpop.NONCE_PERIOD
