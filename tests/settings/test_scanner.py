"""The scanner agrees with the parser about which keys there are, and knows the line of each."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from idp.settings.scanner import Path, key_lines

GNARLY = '''\
title = "a # not a comment" # a comment
a.b.c = 1
"quoted key" = [ 1,
  # between
  { x = 1, y = { z = "}" } },
  [ 2, 3 ],
]
multi = """
[not.a.table]
key = "no"
"""
literal = \'\'\'
[[no]]
\'\'\'
"esc\\u0041ped" = 'C:\\'
when = 1979-05-27T07:32:00Z
float = 1.5e-3

[table] # comment
dotted.inner = true
"scope:read" = "x"

[table.sub]
k = []

[[items]]
name = "one"
[items.details]
deep = 1

[[items]]
name = "two"
[[items.parts]]
p = 1
[[items.parts]]
p = 2'''

LINES: dict[Path, int] = {
    ("title",): 1,
    ("a", "b", "c"): 2,
    ("quoted key",): 3,
    ("quoted key", 0): 3,
    ("quoted key", 1, "y", "z"): 5,
    ("quoted key", 2, 1): 6,
    ("multi",): 8,
    ("literal",): 12,
    ("escAped",): 15,
    ("float",): 17,
    ("table",): 19,
    ("table", "dotted", "inner"): 20,
    ("table", "scope:read"): 21,
    ("table", "sub", "k"): 24,
    ("items", 0, "name"): 27,
    ("items", 0, "details", "deep"): 29,
    ("items", 1, "name"): 32,
    ("items", 1, "parts", 0, "p"): 34,
    ("items", 1, "parts", 1, "p"): 36,
}


def paths(value: Any, above: Path = ()) -> set[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {above} if above else set()
    return found.union(*(paths(element, (*above, name)) for name, element in inner))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_each_key_has_its_line(ending: str) -> None:
    found: dict[Path, int] = {}
    for path, line in key_lines(GNARLY.replace("\n", ending)):
        found.setdefault(path, line)
    assert {path: found.get(path) for path in LINES} == LINES


def test_the_scanner_finds_exactly_the_keys_the_parser_does() -> None:
    assert {path for path, _ in key_lines(GNARLY)} == paths(tomllib.loads(GNARLY))


@given(some.text(alphabet='ab=[]{}",.\'\n#\\ 1"', max_size=60))
def test_any_text_is_scanned_and_valid_toml_is_scanned_right(text: str) -> None:
    found = {path for path, _ in key_lines(text)}
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert found == paths(table)
