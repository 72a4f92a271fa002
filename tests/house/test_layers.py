"""The laws of the house that a machine can check: who imports whom, how long things are, and how things are called."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("idp", "examples")
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
# Names that say nothing: what a thing does for whom is its name.
BANNED = {"manager", "helper", "helpers", "util", "utils", "impl", "base", "misc", "common", "stuff"}
# Named by the libraries that call them.
ALLOWED = {"load_dialect_impl", "base_exceptions"}


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def words_of(name: str) -> list[str]:
    """The words of a name in either case: HashPool, make_vault."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def test_a_room_imports_only_from_the_floors_below_it() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(program), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sources(*ROOMS), ids=named)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    for function in functions(ast.parse(text)):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= LONGEST_FUNCTION, f"{function.name} has {length} lines"


@pytest.mark.parametrize("path", sources(*ROOMS), ids=named)
def test_every_module_opens_with_a_sentence_on_what_it_owns(path: Path) -> None:
    if path.read_text().strip():
        assert ast.get_docstring(ast.parse(path.read_text())), "no docstring"


@pytest.mark.parametrize("path", sources("idp"), ids=named)
def test_names_say_what_things_are(path: Path) -> None:
    names = {path.stem}
    names |= {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert {name for name in names - ALLOWED if BANNED & set(words_of(name))} == set()


@pytest.mark.parametrize("path", sources("idp", "examples", "tests", "benchmarks"), ids=named)
def test_no_notes_to_self_are_left_in_the_code(path: Path) -> None:
    marks = "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"))
    assert not re.search(rf"\b(?:{marks})\b", path.read_text())


def test_only_one_room_reads_the_clock_and_only_one_the_environment() -> None:
    clock, environment = [], []
    for path in sources("idp"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) in {("datetime", "now"), ("datetime", "utcnow"), ("time", "time")}:
                    clock.append(named(path))
                if (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv")}:
                    environment.append(named(path))
    assert {path.split("/")[1] for path in clock} <= {"app", "cli"}
    assert {path.split("/")[1] for path in environment} <= {"settings", "app", "cli"}


def test_flows_policies_and_views_hold_no_words_for_people() -> None:
    told = re.compile(r"\b(?:Please|Sorry|Welcome)\b")
    for room in ("policies", "flows", "store"):
        for path in sources(f"idp/{room}"):
            assert not told.search(path.read_text()), named(path)
