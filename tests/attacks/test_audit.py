"""H-10: the audit cannot be changed unseen, not even by who can write to the database but has not the master key."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from idp.cli import idp
from idp.flows import retaining, sealing
from idp.flows.sealing import Fault, Verified, Wrong
from idp.model import Kept
from tests.harness import CONFIG, House, together
from tests.leftovers import purge

_TRIGGER = {"sqlite": "DROP TRIGGER audit_append_only", "postgresql": "DROP TRIGGER audit_append_only ON audit"}


@pytest.fixture(params=["sqlite", "postgresql+redis"])
def own(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """A house with an audit of its own, its clock standing still: three seals of ten entries each, and four not sealed."""
    house = new_house(request.param)
    house.clock.stop()
    happen(house, 10 - len(house.audit()))
    assert sealing.seal(house.world) == 10
    for _ in range(2):
        house.clock.move(minutes=2)
        happen(house, 10)
        assert sealing.seal(house.world) == 10
    happen(house, 4)
    return house


def happen(house: House, number: int) -> None:
    with house.world.store.begin() as tx:
        for one in range(number):
            house.world.record(tx, house.clock(), "something", "done", number=one, what="a thing")


def tamper(house: House, *statements: str) -> None:
    """What whoever can write to the database may say, the trigger dropped first."""
    with house.world.store.engine.begin() as connection:
        for statement in (_TRIGGER[house.world.store.dialect], *statements):
            connection.execute(text(statement))


def put_in(house: House, number: int) -> None:
    """An entry like one that is there, under a number of the attacker's choice."""
    columns = "at, actor, event, outcome, account_id, facts, policy"
    copy = f"INSERT INTO audit (id, {columns}) SELECT :number, {columns} FROM audit WHERE id = 2"  # noqa: S608 - of constants
    with house.world.store.engine.begin() as connection:
        connection.execute(text(copy), {"number": number})


def found(house: House, noted: str = "") -> tuple[Fault, ...]:
    return sealing.verify(house.world, noted).faults


def ids(house: House) -> list[int]:
    with house.world.store.engine.connect() as connection:
        return list(connection.execute(text("SELECT id FROM audit ORDER BY id")).scalars())


def test_h10_an_audit_that_nobody_touched_fits(own: House) -> None:
    verified = sealing.verify(own.world)
    assert verified == Verified((), 30, 0, 4, verified.head)
    assert len(verified.head) == 64
    assert sealing.verify(own.world, verified.head) == verified


@pytest.mark.parametrize(
    "change",
    [
        "facts = '{\"number\": 9}'",
        "outcome = 'fine'",
        "actor = 'somebody'",
        "event = 'nothing'",
        "account_id = 'another'",
        "policy = 'another'",
        "at = (SELECT at FROM audit WHERE id = 25)",
    ],
)
def test_h10_whatever_of_an_entry_is_changed_is_seen(own: House, change: str) -> None:
    tamper(own, f"UPDATE audit SET {change} WHERE id = 14")  # noqa: S608 - the attacker's own
    assert found(own) == (Fault(Wrong.CHANGED, 11, 20),)


def test_h10_an_entry_taken_out_of_the_middle_is_missed(own: House) -> None:
    tamper(own, "DELETE FROM audit WHERE id = 14")
    assert found(own) == (Fault(Wrong.MISSING, 11, 20),)


def test_h10_an_entry_put_in_is_seen_wherever_it_is(own: House) -> None:
    tamper(own, "DELETE FROM audit WHERE id = 14")
    put_in(own, 14)
    assert found(own) == (Fault(Wrong.CHANGED, 11, 20),)
    put_in(own, 0)
    put_in(own, -7)
    assert found(own) == (Fault(Wrong.EXTRA, 0, 0), Fault(Wrong.CHANGED, 11, 20))


def test_h10_an_entry_in_a_gap_of_the_numbers_is_seen(own: House) -> None:
    """Numbers have gaps, where what would have been written was rolled back: one may be filled later."""
    own.clock.move(minutes=2)
    happen(own, 1)
    sealing.seal(own.world)
    last = ids(own)[-1]
    put_in(own, last + 2)
    own.clock.move(minutes=2)
    assert sealing.seal(own.world) == 1
    assert found(own) == ()
    put_in(own, last + 1)
    assert found(own) == (Fault(Wrong.EXTRA, last + 1, last + 2),)


def test_h10_two_entries_that_changed_places_are_seen(own: House) -> None:
    tamper(
        own,
        "UPDATE audit SET id = 1000 WHERE id = 13",
        "UPDATE audit SET id = 13 WHERE id = 22",
        "UPDATE audit SET id = 22 WHERE id = 1000",
    )
    assert found(own) == (Fault(Wrong.CHANGED, 11, 20), Fault(Wrong.CHANGED, 21, 30))


def test_h10_entries_cut_off_the_end_are_missed_and_with_their_seal_against_the_head_that_was_noted(own: House) -> None:
    noted = sealing.verify(own.world).head
    tamper(own, "DELETE FROM audit WHERE id > 25")
    assert found(own) == (Fault(Wrong.MISSING, 21, 30),)
    with own.world.store.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit WHERE id > 20"))
        connection.execute(text("DELETE FROM audit_seals WHERE last_id > 20"))
    assert found(own) == ()
    assert found(own, noted) == (Fault(Wrong.NOTED, 21, 21),)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_seals SET entries = 9 WHERE last_id = 20",
        "UPDATE audit_seals SET content = (SELECT content FROM audit_seals WHERE last_id = 10) WHERE last_id = 20",
        "UPDATE audit_seals SET sealed_at = (SELECT sealed_at FROM audit_seals WHERE last_id = 10) WHERE last_id = 20",
        "UPDATE audit_seals SET digest = (SELECT digest FROM audit_seals WHERE last_id = 10) WHERE last_id = 20",
    ],
)
def test_h10_a_seal_that_was_changed_is_seen(own: House, statement: str) -> None:
    tamper(own, statement)
    assert Fault(Wrong.SEAL, 11, 20) in found(own)


def test_h10_a_seal_taken_out_is_missed(own: House) -> None:
    tamper(own, "DELETE FROM audit_seals WHERE last_id = 10", "DELETE FROM audit WHERE id <= 10")
    assert found(own) == (Fault(Wrong.SEAL_MISSING, 1, 10),)


def test_h10_nobody_else_can_say_that_entries_were_kept_long_enough(own: House) -> None:
    tamper(
        own,
        "DELETE FROM audit WHERE id <= 20",
        "UPDATE audit_seals SET forgotten = digest WHERE last_id = 10",
        "UPDATE audit_seals SET forgotten = content WHERE last_id = 20",
    )
    assert found(own) == (Fault(Wrong.FORGOTTEN, 1, 10), Fault(Wrong.FORGOTTEN, 11, 20))


def test_h10_a_seal_made_with_another_key_is_seen(own: House, new_house: Callable[..., House]) -> None:
    stranger = replace(own.world, vault=new_house("sqlite").vault)
    own.clock.move(minutes=2)
    assert sealing.seal(stranger) == 4
    assert found(own)[0] == Fault(Wrong.SEAL, 31, 34)


def test_h10_retention_takes_whole_seals_and_what_remains_still_fits(own: House) -> None:
    """The seals are two minutes apart, and so are their entries."""
    own.clock.move(minutes=2)
    assert sealing.seal(own.world) == 4
    noted = sealing.verify(own.world).head
    period = own.world.policy.retention.audit
    begun = own.clock()
    own.clock.move(seconds=(period.total_seconds() - 5 * 60))
    assert forgotten(own) == 10
    assert ids(own)[0] == 11
    verified = sealing.verify(own.world, noted)
    assert verified == Verified((), 24, 10, 0, noted)
    own.clock.move(minutes=2)
    assert forgotten(own) == 10
    assert ids(own)[0] == 21
    assert found(own, noted) == ()
    tamper(own, "DELETE FROM audit WHERE id = 22")
    assert found(own, noted) == (Fault(Wrong.MISSING, 21, 30),)
    assert own.clock() - begun < period


def forgotten(house: House) -> int:
    return sum(rows for kind, rows in retaining.forget(house.world, house.clock()) if kind is Kept.AUDIT)


def test_h10_what_is_not_sealed_is_not_forgotten(own: House) -> None:
    own.clock.move(days=own.world.policy.retention.audit.days + 1)
    assert forgotten(own) == 30
    assert len(ids(own)) == 4
    assert sealing.seal(own.world) == 4
    assert forgotten(own) == 4
    verified = sealing.verify(own.world)
    assert verified == Verified((), 0, 34, 0, verified.head)
    happen(own, 1)
    own.clock.move(minutes=2)
    assert sealing.seal(own.world) == 1
    assert sealing.verify(own.world, verified.head).faults == ()


def test_h10_retention_killed_in_the_middle_of_a_seal_is_no_fault_and_goes_on(
    own: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "AT_ONCE", 7)
    own.clock.move(days=own.world.policy.retention.audit.days + 1)
    begun = retaining.forget(own.world, own.clock())
    assert next(begun) == (Kept.AUDIT, 7)
    begun.close()
    assert ids(own)[0] == 8
    assert found(own) == ()
    assert forgotten(own) == 23
    assert found(own) == ()


def test_h10_a_person_who_was_purged_breaks_nothing(own: House) -> None:
    own.clock.move(minutes=2)
    person = own.customer()
    person.walk(person.open("/sign-in"))
    own.clock.move(minutes=2)
    assert sealing.seal(own.world) > 4
    noted = sealing.verify(own.world).head
    purge(own, person)
    own.clock.move(minutes=2)
    assert sealing.seal(own.world) == 1
    assert found(own, noted) == ()


def test_h10_many_sealers_at_once_make_one_chain(own: House) -> None:
    own.clock.move(minutes=2)
    sealed: list[Any] = together(lambda: sealing.seal(own.world) for _ in range(8))
    assert sorted(sealed) == [0] * 7 + [4]
    assert found(own) == ()
    assert sealing.seal(own.world) == 0


def test_h10_entries_are_written_while_it_is_sealed(own: House) -> None:
    own.clock.move(minutes=2)

    def seals() -> int:
        sealed = 0
        for _ in range(10):
            own.clock.move(minutes=2)
            sealed += sealing.seal(own.world)
        return sealed

    def writes() -> None:
        for _ in range(15):
            happen(own, 2)

    sealed, *others = together([seals, *[writes] * 4])
    assert others == [None] * 4
    own.clock.move(minutes=2)
    sealed += sealing.seal(own.world)
    assert sealed == 4 + 4 * 15 * 2
    assert sealing.verify(own.world).faults == ()
    assert sealing.verify(own.world).unsealed == 0


_SEALER = """
import sys
from idp.app.composition import make_world
from idp.flows import sealing
from idp.settings import from_environment
from idp.store.seals import Seals
added = Seals.add
def add(self, seal):
    done = added(self, seal)
    print(done, flush=True)
    sys.stdin.read()
    return done
Seals.add = add
sealing.seal(make_world(from_environment()))
"""


def test_h10_a_sealer_that_is_killed_leaves_no_half_seal(own: House) -> None:
    """It had written its seal, and not committed it."""
    own.clock.move(minutes=2)
    said = {**own.secrets, "IDP_CONFIG": str(CONFIG)}
    with subprocess.Popen(
        [sys.executable, "-c", _SEALER], env=said, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as sealer:
        assert sealer.stdout is not None
        assert sealer.stdout.readline().strip() == "True"
        sealer.send_signal(signal.SIGKILL)
    assert sealing.verify(own.world).unsealed == 4
    assert sealing.seal(own.world) == 4
    assert found(own) == ()


def test_h10_a_backlog_is_sealed_a_piece_at_a_time(own: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "AT_MOST", 25)
    monkeypatch.setattr(sealing._read, "__defaults__", (25,))
    happen(own, 60)
    assert [sealing.seal(own.world) for _ in range(4)] == [25, 25, 0, 0]
    own.clock.move(minutes=2)
    assert [sealing.seal(own.world) for _ in range(2)] == [14, 0]
    assert found(own) == ()


def verify(house: House, *arguments: str) -> Result:
    """The command as its users run it: from the configuration and the environment, on the house's own database."""
    return CliRunner(env={**house.secrets, "IDP_CONFIG": str(CONFIG)}).invoke(idp, ["audit", "verify", *arguments])


def test_h10_the_command_tells_the_head_and_ends_with_1_where_something_does_not_fit(own: House) -> None:
    head = sealing.verify(own.world).head
    whole = verify(own)
    assert (whole.exit_code, whole.stderr) == (0, "")
    assert whole.stdout.splitlines() == [
        "30 entries under seals, 0 gone after their time, 4 not sealed yet.",
        f"Head: {head}",
        "Every seal fits.",
    ]
    assert verify(own, "--noted", head).exit_code == 0
    cut = verify(own, "--noted", "0" * 64)
    assert cut.exit_code == 1
    assert "that of no seal" in cut.stderr
    tamper(own, "DELETE FROM audit WHERE id = 14")
    broken = verify(own)
    assert broken.exit_code == 1
    assert broken.stderr == "Entries 11 to 20: at least one was taken out since they were sealed.\n"
    assert "Every seal fits" not in broken.stdout
