"""Forgiving in form, strict in substance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.policies.matching import LONGEST, name_key, reference_key


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        ("rossi", "ROSSI"),
        ("D'Angelo", "D’ANGELO"),
        ("De Luca", "DELUCA"),
        ("García-Márquez", "garcia marquez"),
        ("Müller", "MULLER"),
        ("Groß", "GROSS"),
        ("Sørensen", "Sorensen"),
        ("Łukasz", "lukasz"),
        ("Ångström", "A\u030angstro\u0308m"),
        ("\uff32\uff4f\uff53\uff53\uff49", "Rossi"),
        ("  Rossi ", "Rossi\u200b"),
        ("İnan", "inan"),
        ("Παπαδόπουλος", "ΠΑΠΑΔΟΠΟΥΛΟΣ"),
    ],
)
def test_a_name_is_the_same_in_every_form(typed: str, recorded: str) -> None:
    assert name_key(typed) == name_key(recorded) != ""


@pytest.mark.parametrize(("typed", "recorded"), [("Rossi", "Russo"), ("Rossi", "Rosi"), ("Mueller", "Müller"), ("Li", "Lim")])
def test_another_name_is_another(typed: str, recorded: str) -> None:
    assert name_key(typed) != name_key(recorded)


@pytest.mark.parametrize("typed", ["", " ", "'-", "123", "x" * (LONGEST + 1)])
def test_what_is_no_name_matches_nobody(typed: str) -> None:
    assert name_key(typed) == ""


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("0012 345-678", "0012345678"),
        ("0012345678", "0012345678"),
        ("12345678", "12345678"),
        ("ab.12/c", "AB12C"),
        ("\uff11\uff12\uff13", "123"),
        ("12\u00a034", "1234"),
        ("", ""),
        ("12'; DROP TABLE customers", ""),
        ("١٢٣", ""),
        ("1" * (LONGEST + 1), ""),
    ],
)
def test_a_reference_keeps_every_digit(typed: str, key: str) -> None:
    assert reference_key(typed) == key


@given(st.text(max_size=LONGEST))
def test_keys_are_keys_of_themselves(text: str) -> None:
    assert name_key(name_key(text)) == name_key(text) or len(name_key(text)) > LONGEST
    assert reference_key(reference_key(text)) == reference_key(text)
