"""Customer records are brought in whole or not at all, and found in whatever form they are typed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from idp.cli.value_file import UnreadableError, ValueFile
from idp.flows import customers
from idp.flows.customers import Brought, Fault, Rules
from idp.model import Customer
from tests.harness import House

HEAD = "account_number,customer_code,family_name,given_name,numbers,organisation\n"
MARIA = "0012-345678,C 77,D'Angelo,Maria,07700 900123;+44 20 7946 0018,\n"


def bring(
    house: House, path: Path, written: str | bytes, rules: Rules | None = None, **said: str
) -> tuple[Brought, list[Fault]]:
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    source = ValueFile(path, customers.FIELDS, customers.NEEDED, **said)
    faults: list[Fault] = []
    with path.open("rb") as opened:
        for told in customers.bring_in(house.world, source.records(opened), rules or Rules(), "test"):
            if isinstance(told, Brought):
                return told, faults
            faults += told.faults
    raise AssertionError("an import without an end")


def found(house: House, account_number: str) -> Customer | None:
    with house.world.store.read() as tx:
        return tx.customers.by_account_number(account_number)


def lines(count: int, start: int = 0) -> str:
    return HEAD + "".join(f"{number:08d},,Rossi,,0770090{number % 10000:04d},\n" for number in range(start, start + count))


@pytest.fixture(autouse=True)
def _nothing_before(house: House) -> None:
    """The house is shared; its customer records are each test's own."""
    with house.world.store.engine.connect() as connection:
        for table in ("customers", "customer_imports"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of tables


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "customers.csv"


def test_a_record_is_kept_in_the_forms_in_which_it_is_compared(house: House, file: Path) -> None:
    assert bring(house, file, HEAD + MARIA) == (Brought(1, 0), [])
    record = found(house, "0012345678")
    assert record == Customer(
        "0012345678", "C77", "dangelo", frozenset({"+447700900123", "+442079460018"}), "Maria", "D'Angelo", ""
    )
    with house.world.store.read() as tx:
        assert tx.customers.by_customer_code("C77") == record
        assert tx.customers.by_account_number("") is None
    assert found(house, "12345678") is None
    typed = ("07700900123", "+44 7700 900-123", "0044 (0)7700 900123", "+44 (0)7700/900123")
    assert {house.world.numbers.key(number) for number in typed} == {"+447700900123"}


def test_the_next_import_takes_the_place_of_the_one_before(house: House, file: Path) -> None:
    bring(house, file, lines(50))
    assert bring(house, file, lines(50, start=2)) == (Brought(50, 0), [])
    assert found(house, "00000001") is None
    assert found(house, "00000051") is not None
    again, _ = bring(house, file, lines(50, start=2))
    assert again == Brought(50, 0)
    house.clock.move(days=2)
    assert sum(customers.tidy(house.world)) == 100
    assert found(house, "00000051") is not None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("1,2,3\n", "columns"),
        (",,Rossi,,,\n", "no_reference"),
        ("١٢٣,,Rossi,,,\n", "account_number"),
        ("1,'; DROP,Rossi,,,\n", "customer_code"),
        ("1,,,,,\n", "family_name"),
        ("1,,42,,,\n", "family_name"),
        (f"1,,{'x' * 200},,,\n", "family_name"),
        ("1,,Rossi,,call me,\n", "numbers"),
        (f"1,,Rossi,{'x' * 200},,\n", "too_long"),
        ("1,,Rossi,Ma\tria,,\n", "characters"),
        ("00000007,,Rossi,,,\n", "duplicate"),
    ],
)
def test_a_faulty_line_is_told_and_left_out(house: House, file: Path, line: str, fault: str) -> None:
    ended, faults = bring(house, file, lines(200) + line)
    assert (ended, faults) == (Brought(200, 1), [Fault(202, fault)])


def test_an_organisation_stands_for_a_family_name(house: House, file: Path) -> None:
    bring(house, file, HEAD + "9,,,,,Bäckerei Müller GmbH\n")
    record = found(house, "9")
    assert record is not None
    assert record.surname == "backereimullergmbh"


REFUSED = {
    "cut within a line": (lines(100)[:-4], {}, "its last line does not end"),
    "another encoding": (HEAD.encode() + b"1,,M\xfcller,,,\n", {}, "not utf-8"),
    "quotes that never end": (HEAD + '1,,"Rossi,,,\n' + lines(5)[len(HEAD) :], {}, "not a table"),
    "an unknown column": ("account_number,family_name,iban\n1,Rossi,x\n", {}, "the first line names the columns"),
    "no reference": ("family_name\nRossi\n", {}, "a column account_number or customer_code is needed"),
    "a column twice": ("account_number,account_number,family_name\n", {}, "each once"),
    "no heading": (lines(5)[len(HEAD) :], {}, "the first line names the columns"),
    "binary": (b"\x00\x01\x02\n" * 10, {}, "the first line names the columns"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_read_to_its_end_changes_nothing(house: House, file: Path, case: str) -> None:
    bring(house, file, lines(100))
    written, said, why = REFUSED[case]
    with pytest.raises(UnreadableError, match=why):
        bring(house, file, written, **said)
    assert found(house, "00000099") is not None
    with house.world.store.read() as tx:
        live = tx.customers.live()
    assert live is not None
    assert live.records == 100


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (HEAD, "empty"),
        (lines(100) + "x,x\n" * 2, "too_many_faults"),
        (lines(89), "too_few"),
    ],
)
def test_too_little_or_too_faulty_is_not_put_in_use(house: House, file: Path, written: str, why: str) -> None:
    bring(house, file, lines(100))
    ended, _ = bring(house, file, written)
    assert ended.refused == why
    assert found(house, "00000099") is not None
    allowed, _ = bring(house, file, written, Rules(faulty=1, missing=1))
    assert allowed.refused == ("empty" if why == "empty" else "")


def test_an_import_that_is_killed_leaves_nothing_in_use_and_is_tidied_away(house: House, file: Path) -> None:
    bring(house, file, lines(10))

    def cut() -> Iterator[tuple[int, dict[str, str]]]:
        for number in range(2500):
            yield number, {"account_number": f"N{number}", "family_name": "Rossi"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(customers.bring_in(house.world, cut(), Rules(), "test"))
    assert found(house, "N1") is None
    assert found(house, "00000009") is not None
    assert sum(customers.tidy(house.world)) == 0
    house.clock.move(days=2)
    assert sum(customers.tidy(house.world)) == 2000


def test_semicolons_another_encoding_and_a_mark_at_the_beginning(house: House, file: Path) -> None:
    head = HEAD.replace(",", ";")
    assert (
        bring(house, file, (head + "1;;Müller;;0207 9460018|07700 900123;\n").encode("cp1252"), encoding="cp1252")[0].records
        == 1
    )
    assert bring(house, file, b"\xef\xbb\xbf" + (head + "2;;Müller;;;\n").encode(), Rules(missing=1))[0].records == 1
    record = found(house, "2")
    assert record is not None
    assert record.surname == "muller"
