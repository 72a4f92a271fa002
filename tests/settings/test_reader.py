"""The reader alone: annotations that no shipped file uses every way, and values made to hurt it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest

from idp.settings.document import Document
from idp.settings.reader import Reader


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    deep: int = 1


@dataclass(frozen=True, slots=True)
class Shape:
    colour: Colour = Colour.RED
    inner: Inner = field(default_factory=Inner)
    rows: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict)
    maybe: int | None = None
    hidden: tuple[str, ...] = field(default=(), repr=False)


def read(table: Any) -> tuple[Shape | None, list[tuple[str, str]]]:
    reader = Reader(Document("x.toml", table, {}, {}))
    shape = reader.read(Shape, table)
    return shape, [(problem.key, problem.what) for problem in reader.problems]


def test_each_annotation_is_read() -> None:
    table = {"colour": "blue", "rows": [{"deep": 2}, {}], "named": {"a b": {"deep": 3}}, "maybe": 4}
    assert read(table) == (Shape(Colour.BLUE, Inner(), (Inner(2), Inner()), {"a b": Inner(3)}, 4), [])


@pytest.mark.parametrize(
    ("table", "key", "what"),
    [
        ({"colour": "green"}, "colour", '"green" is not one of the choices'),
        ({"colour": ["red"]}, "colour", "a list is not one of the choices"),
        ({"colour": 1 << 20000}, "colour", "a large number is not one of the choices"),
        ({"maybe": 1 << 20000}, "maybe", "the number is too large"),
        ({"maybe": {}}, "maybe", "a table is not a whole number"),
        ({"rows": [{"deep": "x"}]}, "rows[1].deep", '"x" is not a whole number'),
        ({"rows": [7]}, "rows[1]", "7 is not a table"),
        ({"rows": [{}] * 1001}, "rows", "1001 elements are listed"),
        ({"named": {"a b": {"deeep": 1}}}, 'named."a b".deeep', "unknown key"),
        ({"named": []}, "named", "a list is not a table"),
        ({"hidden": ["canary", "canary"]}, "hidden[2]", "it is listed twice"),
        ({"hidden": [31337]}, "hidden[1]", "the value is not text"),
        ({"x" * 500: 1}, "x" * 500, "unknown key"),
    ],
    ids=range(13),
)
def test_what_does_not_fit_is_refused_and_the_default_stands(table: Any, key: str, what: str) -> None:
    shape, problems = read(table)
    assert problems == [(key, what)]
    assert shape is not None
