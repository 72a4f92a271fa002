"""Whatever programs send to the addresses for them, with credentials or without, the answer is one that is described."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.schemas import BaseSchema

from idp.model import Client, Registrar
from idp.oauth.operations import OPERATIONS
from idp.vault import digest
from tests.harness import House, open_house
from tests.people import PARTNER_SECRET

pytestmark = [pytest.mark.xdist_group("schemathesis")]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8
RECEIVER = Client(
    "receiver",
    "A receiver of events",
    ("client_credentials",),
    auth_method="client_secret_post",
    secret_digests=(digest(PARTNER_SECRET),),
    scope=("ssf.read", "ssf.manage"),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house("sqlite", tmp_path_factory.mktemp("schemathesis"), clients=(RECEIVER,)) as opened:
        registrar = Registrar(frozenset({digest(PARTNER_SECRET)}), ("openid", "profile"))
        opened.world = replace(opened.world, registrar=registrar)
        opened.restart(lambda policy: policy)
        # Whoever polls for events is answered at once.
        with patch("idp.oauth.streams._WAIT", 0.0):
            yield opened


@pytest.fixture(scope="module")
def schema(house: House) -> BaseSchema:
    return schemathesis.openapi.from_wsgi("/openapi.json", house.app)


@pytest.fixture(scope="module")
def credentials(house: House) -> Mapping[str, Any]:
    """Headers by the beginning of the path: who is known there."""
    form = {"grant_type": "client_credentials", "client_id": "receiver", "client_secret": PARTNER_SECRET}
    receiver = house.post("/token", form).json()["access_token"]
    person = house.customer().tokens(resource=None, scope="openid profile email")["access_token"]
    portal = base64.b64encode(f"portal:{house.secret('portal')}".encode()).decode()
    said = {
        "/ssf": f"Bearer {receiver}",
        "/userinfo": f"Bearer {person}",
        "/register-client": f"Bearer {PARTNER_SECRET}",
        "/": f"Basic {portal}",
    }
    return {path: {"Authorization": header} for path, header in said.items()}


def tries() -> Iterator[tuple[str, str, GenerationMode]]:
    """Each operation as it is described, and otherwise where there is something to be wrong."""
    for path, methods in OPERATIONS.items():
        for method, operation in methods.items():
            yield path, method, GenerationMode.POSITIVE
            if operation.takes or operation.query:
                yield path, method, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("path", "method", "mode"), [*tries()])
def test_every_answer_is_described(
    schema: BaseSchema,
    credentials: Mapping[str, Any],
    path: str,
    method: str,
    mode: GenerationMode,
) -> None:
    operation = schema[path][method]
    known = next(headers for start, headers in credentials.items() if path.startswith(start))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def every(case: Case) -> None:
        case.call_and_validate(checks=CHECKS)
        case.call_and_validate(checks=CHECKS, headers=known)

    every()
