"""Who may register clients over the protocol: tokens are read as secrets are, and scopes exist."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from idp.app.composition import make_world
from idp.settings import load

Refusals = Callable[[dict[str, str]], list[str]]
Spoil = Callable[[str, str, str], int]
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2


def on(spoil: Spoil, tokens: str = '["env:INITIAL_ACCESS_TOKEN"]', scope: str = "openid billing:read") -> int:
    lines = f'[registration]\ninitial_access_tokens = {tokens}\nscope = "{scope}"\n'
    return spoil("settings.toml", "# [registration]\n", lines)


def test_off_as_shipped(config: Path, environ: dict[str, str]) -> None:
    settings = load(config, environ)
    assert settings.registration.initial_access_tokens == ()
    assert make_world(settings).registrar.tokens == frozenset()


def test_only_digests_are_held(config: Path, environ: dict[str, str], spoil: Spoil) -> None:
    on(spoil, f'["env:INITIAL_ACCESS_TOKEN", "sha256:{"ab" * 32}"]')
    settings = load(config, environ | {"INITIAL_ACCESS_TOKEN": TOKEN})
    digests = (hashlib.sha256(TOKEN.encode()).hexdigest(), "ab" * 32)
    assert settings.registration.initial_access_tokens == digests
    registrar = make_world(settings).registrar
    assert (registrar.tokens, registrar.scope) == (frozenset(digests), ("openid", "billing:read"))
    assert TOKEN not in repr(settings)
    assert digests[0] not in repr(settings) + repr(registrar)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ('["env:INITIAL_ACCESS_TOKEN"]', "the environment variable INITIAL_ACCESS_TOKEN is not set"),
        (f'["{TOKEN}"]', "the source is not env:, file: or sha256:"),
        ('["env:SHORT"]', "the secret is shorter than 32 characters"),
    ],
)
def test_a_poor_token_is_refused(*, refusals: Refusals, environ: dict[str, str], spoil: Spoil, tokens: str, said: str) -> None:
    line = on(spoil, tokens)
    (problem,) = refusals(environ | {"SHORT": "canary"})
    assert problem.startswith(f"config/settings.toml:{line + 1}: registration.initial_access_tokens[1]: {said}")
    assert TOKEN not in problem


def test_a_scope_that_nobody_offers_is_refused(refusals: Refusals, environ: dict[str, str], spoil: Spoil) -> None:
    on(spoil, "[]", "openid billing:reed")
    (problem,) = refusals(environ)
    assert 'registration.scope: "billing:reed" is offered by nobody. Did you mean "billing:read"?' in problem
