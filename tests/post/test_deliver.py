"""Letters through a real mail server: taken, put off, refused, dropped; never twice at once, never too late."""

import socket
import threading
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import pytest
from sqlalchemy import text

from idp.flows.deliver import (
    FIRST_WAIT,
    LEASE,
    LONGEST_WAIT,
    MARGIN,
    MARKED_AT_ONCE,
    MOST_TRIES,
    Fate,
    PostOffice,
    deliver,
    expire,
    next_try,
)
from idp.post import Smtp
from tests.post.conftest import HEAD, Desk


def test_letters_go_over_one_connection_and_their_bodies_are_wiped(desk: Desk) -> None:
    letters = [desk.put() for _ in range(5)]
    assert desk.fates() == [Fate.SENT] * 5
    assert len(desk.server.taken) == 5
    assert desk.server.connections == 1
    assert {message_from_bytes(raw)["Message-ID"] for raw in desk.server.taken} == {
        f"<{letter.id}@norda.example>" for letter in letters
    }
    assert all(desk.row(letter)[:2] == ("sent", None) for letter in letters)
    assert desk.fates() == []


@pytest.mark.parametrize(("place", "answer"), [("to_rcpt", "450 later"), ("to_data", "451 later"), ("to_data", "drop")])
def test_what_is_put_off_is_tried_again(desk: Desk, place: str, answer: str) -> None:
    letter = desk.put()
    setattr(desk.server, place, answer)
    assert desk.fates() == [Fate.RETRY]
    assert desk.fates() == []
    setattr(desk.server, place, "250 OK")
    desk.clock.pass_(FIRST_WAIT * 2)
    assert desk.fates() == [Fate.SENT]
    assert desk.row(letter).state == "sent"
    assert len(desk.server.taken) == 1


@pytest.mark.parametrize(("place", "answer"), [("to_rcpt", "550 no such user"), ("to_data", "554 no")])
def test_what_is_refused_is_laid_with_the_dead_and_stops_no_other(desk: Desk, place: str, answer: str) -> None:
    first = desk.put()
    setattr(desk.server, place, answer)
    assert desk.fates() == [Fate.DEAD]
    assert desk.row(first).error == answer
    setattr(desk.server, place, "250 OK")
    desk.put()
    assert desk.fates() == [Fate.SENT]


def test_a_refused_letter_leaves_the_connection_to_the_next(desk: Desk) -> None:
    desk.put(to="not an address")
    desk.put(to="a@x.example\r\nBcc: b@y.example")
    desk.put()
    assert sorted(desk.fates()) == [Fate.DEAD, Fate.DEAD, Fate.SENT]
    assert len(desk.server.taken) == 1


def test_a_server_that_is_down_is_waited_for(desk: Desk) -> None:
    desk.put()
    dead = PostOffice(
        desk.office.letters, desk.office.brand, {"mail": Smtp(host="127.0.0.1", port=1, letterhead=HEAD, timeout=1)}
    )
    assert desk.fates(dead) == [Fate.RETRY]
    desk.clock.pass_(FIRST_WAIT * 2)
    assert desk.fates() == [Fate.SENT]


def test_a_connection_that_died_between_letters_is_made_anew(desk: Desk) -> None:
    desk.put()
    assert desk.fates() == [Fate.SENT]
    desk.office.carriers["mail"]._connection.sock.shutdown(socket.SHUT_RDWR)
    desk.put()
    assert desk.fates() == [Fate.SENT]
    assert desk.server.connections == 2


def test_a_worker_that_is_killed_loses_nothing(desk: Desk) -> None:
    letter = desk.put()
    with desk.world.store.begin() as tx:
        assert len(tx.outbox.claim(desk.clock(), LEASE, 10)) == 1
    assert desk.fates() == []
    desk.clock.pass_(LEASE)
    assert desk.fates() == [Fate.SENT]
    assert desk.row(letter).attempts == 2


def test_a_letter_taken_but_not_marked_goes_again_under_the_same_name(desk: Desk) -> None:
    desk.put()
    office_that_dies = replace(desk.office, carriers={"mail": Dying(desk.office.carriers["mail"])})
    with pytest.raises(KeyboardInterrupt):
        desk.fates(office_that_dies)
    desk.clock.pass_(LEASE)
    assert desk.fates() == [Fate.SENT]
    first, second = (message_from_bytes(raw)["Message-ID"] for raw in desk.server.taken)
    assert first == second


class Dying:
    """Hands the letter over and is killed before anyone hears of it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def deliver(self, *letter: Any) -> None:
        self.inner.deliver(*letter)
        raise KeyboardInterrupt

    def close(self) -> None:
        self.inner.close()


def test_never_after_its_time(desk: Desk) -> None:
    letter = desk.put(not_after=desk.clock() + timedelta(minutes=10))
    with desk.world.store.begin() as tx:
        tx.outbox.claim(desk.clock(), LEASE, 10)
    desk.clock.pass_(timedelta(minutes=10))
    assert desk.fates() == []
    assert desk.server.taken == []
    assert expire(desk.world) == 1
    assert desk.row(letter)[:2] == ("dead", None)


class Slow:
    """Takes its time over each letter."""

    def __init__(self, desk: Desk, time: timedelta) -> None:
        self.inner, self.clock, self.time = desk.office.carriers["mail"], desk.clock, time

    def deliver(self, *letter: Any) -> None:
        self.inner.deliver(*letter)
        self.clock.pass_(self.time)

    def close(self) -> None:
        self.inner.close()


def test_time_that_runs_out_in_the_middle_of_a_batch(desk: Desk) -> None:
    for _ in range(3):
        desk.put(not_after=desk.clock() + timedelta(minutes=1))
    office = replace(desk.office, carriers={"mail": Slow(desk, timedelta(minutes=1))})
    assert sorted(desk.fates(office)) == [Fate.DEAD, Fate.DEAD, Fate.SENT]
    assert len(desk.server.taken) == 1


def test_nothing_is_begun_near_the_end_of_the_lease(desk: Desk) -> None:
    letters = [desk.put() for _ in range(3)]
    office = replace(desk.office, carriers={"mail": Slow(desk, LEASE - MARGIN - timedelta(minutes=1))})
    assert desk.fates(office) == [Fate.SENT] * 2
    assert sorted(desk.row(letter).state for letter in letters) == ["sent", "sent", "waiting"]
    # What was not begun is given back: nobody waits for the lease to end.
    assert desk.fates() == [Fate.SENT]
    assert sorted(desk.row(letter).attempts for letter in letters) == [1, 1, 1]


def test_a_worker_that_is_told_to_stop_marks_what_was_taken_and_gives_back_the_rest(desk: Desk) -> None:
    letters = [desk.put() for _ in range(MARKED_AT_ONCE + 10)]
    going = deliver(desk.world, desk.office)
    assert next(going).fate is Fate.SENT
    going.close()
    states = [desk.row(letter).state for letter in letters]
    assert states.count("sent") == len(desk.server.taken) == MARKED_AT_ONCE
    assert all((desk.row(letter).body is None) is (state == "sent") for letter, state in zip(letters, states, strict=True))
    assert desk.fates() == [Fate.SENT] * 10
    assert all(desk.row(letter).attempts == 1 for letter in letters)


def test_what_was_taken_is_marked_within_a_second(desk: Desk) -> None:
    for _ in range(4):
        desk.put()
    going = deliver(desk.world, replace(desk.office, carriers={"mail": Slow(desk, timedelta(milliseconds=600))}))
    next(going)
    with desk.world.store.read() as tx:
        assert tx.outbox.depth()["waiting"] == 2
    going.close()


def test_what_was_taken_is_marked_even_where_the_next_letter_is_the_end(desk: Desk) -> None:
    letters = [desk.put() for _ in range(3)]
    taken = desk.office.carriers["mail"]

    class Dying:
        def deliver(self, *letter: Any) -> None:
            if len(desk.server.taken) == 2:
                raise KeyboardInterrupt
            taken.deliver(*letter)

    with pytest.raises(KeyboardInterrupt):
        desk.fates(replace(desk.office, carriers={"mail": Dying()}))
    assert sorted(desk.row(letter).state for letter in letters) == ["sent", "sent", "waiting"]


def test_a_code_goes_before_a_hundred_reminders(desk: Desk) -> None:
    reminders = [desk.put() for _ in range(100)]
    desk.clock.pass_(timedelta(minutes=1))
    code = desk.put(not_after=desk.clock() + timedelta(minutes=10))
    assert next(deliver(desk.world, desk.office, limit=1)).id == code.id
    assert desk.row(code).state == "sent"
    assert all(desk.row(letter).state == "waiting" for letter in reminders)


def test_a_letter_that_cannot_be_opened_or_worded_stops_no_other(desk: Desk) -> None:
    desk.put(template="unheard_of")
    desk.put(context={"username": "ada"})
    sealed_elsewhere = desk.put()
    with desk.world.store.engine.connect() as connection:
        connection.execute(text("UPDATE outbox SET body = x'00' WHERE id = :id"), {"id": sealed_elsewhere.id})
    desk.put()
    assert sorted(desk.fates()) == [Fate.DEAD] * 3 + [Fate.SENT]
    assert "ada" not in (desk.row(sealed_elsewhere).error or "")


def test_several_workers_send_each_letter_once(desk: Desk) -> None:
    letters = [desk.put() for _ in range(40)]
    start = threading.Barrier(4)

    def work() -> None:
        smtp = Smtp(host="127.0.0.1", port=desk.server.port, letterhead=HEAD)
        own = PostOffice(desk.office.letters, desk.office.brand, {"mail": smtp})
        start.wait()
        while list(deliver(desk.world, own, limit=3)):
            pass
        own.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    sent = [message_from_bytes(raw)["Message-ID"] for raw in desk.server.taken]
    assert sorted(sent) == sorted(f"<{letter.id}@norda.example>" for letter in letters)


def test_waits_double_are_spread_and_end(desk: Desk) -> None:
    letter = desk.put()
    waits = [next_try(replace(letter, attempts=tries), desk.clock()) - desk.clock() for tries in range(1, MOST_TRIES)]
    for number, wait in enumerate(waits):
        expected = min(FIRST_WAIT * 2**number, LONGEST_WAIT)
        assert expected * 0.75 <= wait <= expected * 1.25
    assert len({next_try(replace(letter, id=str(number), attempts=1), desk.clock()) for number in range(50)}) > 30
    assert next_try(replace(letter, attempts=MOST_TRIES), desk.clock()) is None
    assert next_try(replace(letter, attempts=9, not_after=desk.clock() + FIRST_WAIT), desk.clock()) is None
    assert next_try(replace(letter, attempts=10**6), desk.clock()) is None


def test_a_letter_that_kills_its_workers_is_given_up(desk: Desk) -> None:
    desk.put(attempts=MOST_TRIES)
    assert desk.fates() == [Fate.DEAD]
