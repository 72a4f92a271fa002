import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from idp.model import Ask, Grant, Session, SignIn
from idp.store.codec import cleaned, instant, micros, sign_in_document, sign_in_from, storable
from tests.store.facts import NOW, grant, session, sign_in


@pytest.mark.parametrize(
    "whole", [sign_in(version=1), sign_in().ask, session(), grant(revoked_at=NOW)], ids=lambda one: type(one).__name__
)
def test_the_values_of_these_tests_leave_no_default(whole: Any):
    """The round trips on every store use these values: a field added to a noun shows here that it is not yet tried."""
    assert isinstance(whole, SignIn | Ask | Session | Grant)
    for field in dataclasses.fields(whole):
        default = field.default_factory() if callable(field.default_factory) else field.default
        assert getattr(whole, field.name) != default, field.name


def test_moments_are_exact():
    for moment in (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        NOW,
    ):
        assert instant(micros(moment)) == moment
    east = timezone(timedelta(hours=5, minutes=45))
    assert instant(micros(NOW.astimezone(east))) == NOW
    assert instant(0).tzinfo is UTC


def test_the_first_moment_is_not_no_moment():
    early = dataclasses.replace(sign_in(), ask=Ask(fresh_since=datetime(1970, 1, 1, tzinfo=UTC)))
    assert sign_in_from("s1", 0, sign_in_document(early)) == early


def test_a_document_is_ascii():
    assert sign_in_document(sign_in()).isascii()


def test_what_no_database_takes():
    assert storable("ada\r\n\x1b\N{SNOWMAN}")
    assert not storable("\0")
    assert not storable("\udfff")
    assert storable(cleaned("\0\ud800"))
