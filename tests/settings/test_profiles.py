"""The profiles in config/policies: each is sound, says what it is for, starts as it is shipped, and has its stories told."""

import ast
import re
from pathlib import Path

import pytest

from idp.policies.judgement import contradictions, texted
from idp.settings import effective, load_policy, read_policy
from tests.harness import CONFIG, settings_of

PROFILES = sorted((CONFIG / "policies").glob("*.toml"))
STORIES = Path(__file__).parents[1] / "stories"
# The rows of what the product must do, by the profile that the letter stands for.
ROWS = {
    "my-account": ("a", 17),
    "open-registration": ("b", 8),
    "consumer": ("c", 7),
    "customer-code": ("d", 10),
    "self-serve": ("e", 6),
}


def named(path: Path) -> str:
    return path.stem


def test_there_is_a_profile_for_each_portal_and_one_that_is_harder() -> None:
    assert {path.stem for path in PROFILES} >= {*ROWS, "hardened"}


@pytest.mark.parametrize("path", PROFILES, ids=named)
def test_a_profile_is_sound_and_named_like_its_file(path: Path) -> None:
    law = load_policy(path)
    assert law.name == path.stem
    assert law.about.endswith(".")
    assert contradictions(law) == []
    # What it takes to send text messages is not shipped: no way in or back may depend on it alone.
    assert texted(law) == ()


@pytest.mark.parametrize("path", PROFILES, ids=named)
def test_a_profile_opens_with_what_it_is_for_and_states_every_rule(path: Path) -> None:
    head = re.match(r"(?:#[^\n]*\n)+", path.read_text("utf-8"))
    assert head is not None
    words = " ".join(line.lstrip("# ") for line in head[0].splitlines())
    assert re.match(rf'"{path.stem.replace("-", "[- ]")}"', words, re.IGNORECASE), words
    assert len(words) > 80, words
    stated = read_policy(path).stated
    assert {name for name in _keys(effective(load_policy(path))) if name not in stated} == set()


def _keys(table: dict[str, object], above: str = "") -> list[str]:
    found = []
    for name, value in table.items():
        found += _keys(value, f"{above}{name}.") if isinstance(value, dict) else [f"{above}{name}"]
    return found


@pytest.mark.parametrize("path", PROFILES, ids=named)
def test_a_profile_starts_with_the_configuration_that_is_shipped(path: Path) -> None:
    settings, _ = settings_of("http://localhost:8080", "sqlite:///idp.sqlite3", None, IDP_PROFILE=path.stem)
    assert settings.policy.name == path.stem
    longest = settings.policy.tokens.access_token
    assert all(resource.token_lifetime <= longest for resource in settings.resources.values())


@pytest.mark.parametrize("profile", ROWS)
def test_each_row_of_a_profile_has_its_stories(profile: str) -> None:
    letter, last = ROWS[profile]
    untold = {f"{letter}{number:02d}" for number in range(1, last + 1) if not told(f"{letter}{number:02d}")}
    # A demonstration is seen by starting it: tests/demo.
    assert untold - {"a16"} == set()


def told(row: str) -> list[str]:
    """The tests that tell a row, by their names."""
    names = []
    for path in STORIES.glob(f"test_{row}*.py"):
        tests = (node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef))
        names += [name for name in tests if name.startswith(f"test_{row}_")]
    return names
