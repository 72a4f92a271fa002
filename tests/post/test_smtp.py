"""What a mail server may do to a letter, at every stage: nothing is lost, nothing is sent twice that need not be."""

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes

import pytest

from idp.flows.deliver import FIRST_WAIT, LONGEST_WAIT, Fate, PostOffice, expire
from idp.post import Smtp
from tests.post.conftest import HEAD, Desk, free_port
from tests.post.scripted import STAGES, Script, serving

pytestmark = pytest.mark.parametrize("pipelining", [False, True], ids=["in turn", "pipelined"])


def office(desk: Desk, script: Script, timeout: float = 3) -> PostOffice:
    smtp = Smtp(host="127.0.0.1", port=script.port, letterhead=HEAD, timeout=timeout)
    return replace(desk.office, carriers={"mail": smtp})


@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_that_drops_at_any_stage_loses_nothing(*, desk: Desk, stage: str, pipelining: bool) -> None:
    letter = desk.put()
    with serving(Script({stage: "drop"}, pipelining)) as script:
        post = office(desk, script)
        assert desk.fates(post) == [Fate.RETRY]
        assert desk.row(letter).body is not None
        assert desk.row(letter).error.startswith(("connection", "the mail server cannot be reached"))
        script.says.clear()
        desk.clock.pass_(FIRST_WAIT * 2)
        assert desk.fates(post) == [Fate.SENT]
        post.close()
    assert desk.row(letter)[:2] == ("sent", None)
    # Where the answer alone was lost, nobody can know: it goes twice, and under one name.
    assert len(script.taken) == (2 if stage == "end" else 1)
    assert {message_from_bytes(raw)["Message-ID"] for raw in script.taken} == {f"<{letter.id}@norda.example>"}


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("connect", "421 later"),
        ("connect", "554 not today"),
        ("ehlo", "421 later"),
        ("mail", "421 later"),
        ("mail", "451 later"),
        # The sender is ours to mend.
        ("mail", "550 not from you"),
        ("rcpt", "421 later"),
        ("rcpt", "450 mailbox busy"),
        ("rcpt", "451 greylisted"),
        ("rcpt", "452 full"),
        ("data", "421 later"),
        ("data", "451 later"),
        ("end", "421 later"),
        ("end", "450 later"),
        ("end", "451 later"),
        ("end", "452 no room"),
        ("end", "nonsense"),
    ],
)
def test_what_is_put_off_waits(*, desk: Desk, stage: str, answer: str, pipelining: bool) -> None:
    letter = desk.put()
    with serving(Script({stage: answer}, pipelining)) as script:
        post = office(desk, script)
        assert desk.fates(post) == [Fate.RETRY]
        assert desk.fates(post) == []
        assert script.taken == []
        script.says.clear()
        desk.clock.pass_(FIRST_WAIT * 2)
        assert desk.fates(post) == [Fate.SENT]
        post.close()
    assert desk.row(letter)[:2] == ("sent", None)
    assert len(script.taken) == 1


@pytest.mark.parametrize("stage", ["rcpt", "data", "end"])
@pytest.mark.parametrize("answer", ["550 no such user", "552 too large", "554 refused"])
def test_what_is_refused_is_given_up_and_the_next_goes_on(*, desk: Desk, stage: str, answer: str, pipelining: bool) -> None:
    refused = desk.put()
    with serving(Script({stage: answer}, pipelining)) as script:
        post = office(desk, script)
        assert desk.fates(post) == [Fate.DEAD]
        assert desk.row(refused).error == answer
        script.says.clear()
        desk.put()
        desk.put()
        assert desk.fates(post) == [Fate.SENT] * 2
        assert script.connections == 1
        post.close()
    assert len(script.taken) == 2


@pytest.mark.parametrize("politely", [True, False], ids=["421", "without a word"])
def test_a_server_that_allows_so_many_letters_a_connection_gets_a_new_one(
    *, desk: Desk, politely: bool, pipelining: bool
) -> None:
    for _ in range(5):
        desk.put()
    with serving(Script(pipelining=pipelining, most_letters=2, politely=politely)) as script:
        post = office(desk, script)
        assert desk.fates(post) == [Fate.SENT] * 5
        post.close()
    assert script.connections == 3
    assert len({message_from_bytes(raw)["Message-ID"] for raw in script.taken}) == len(script.taken) == 5


def test_a_slow_server_is_waited_for_so_long_and_no_longer(*, desk: Desk, pipelining: bool) -> None:
    desk.put()
    with serving(Script(pipelining=pipelining, pause=0.2)) as script:
        post = office(desk, script, timeout=0.1)
        assert desk.fates(post) == [Fate.RETRY]
        desk.clock.pass_(FIRST_WAIT * 2)
        post = office(desk, script, timeout=3)
        assert desk.fates(post) == [Fate.SENT]
        post.close()


def test_a_server_that_is_down_for_hours(*, desk: Desk, pipelining: bool) -> None:
    lasting = desk.put(not_after=desk.clock() + timedelta(days=1))
    code = desk.put(not_after=desk.clock() + timedelta(minutes=10))
    endless = desk.put()
    port, tries = free_port(), 0
    down = office(desk, Script(port=port))
    ends = desk.clock() + timedelta(hours=8)
    while desk.clock() < ends:
        tries += desk.fates(down).count(Fate.RETRY)
        desk.clock.pass_(timedelta(seconds=30))
    # Waits grow: hundreds of looks, a few dozen tries.
    assert 20 <= tries <= 40
    expire(desk.world)
    assert desk.row(code)[:2] == ("dead", None)
    with serving(Script(pipelining=pipelining), port) as script:
        desk.clock.pass_(LONGEST_WAIT * 1.25)
        post = office(desk, script)
        assert desk.fates(post) == [Fate.SENT] * 2
        post.close()
    sent = {message_from_bytes(raw)["Message-ID"] for raw in script.taken}
    assert sent == {f"<{letter.id}@norda.example>" for letter in (lasting, endless)}


def test_what_is_said_and_in_which_order(*, desk: Desk, pipelining: bool) -> None:
    desk.put(to="ada@customer.example")
    with serving(Script(pipelining=pipelining)) as script:
        post = office(desk, script)
        desk.fates(post)
        post.close()
    (size,) = [int(line.rpartition("=")[2]) for line in script.heard if line.startswith("MAIL")]
    assert [line.upper() for line in script.heard] == [
        "EHLO NORDA.EXAMPLE",
        f"MAIL FROM:<NO-REPLY@NORDA.EXAMPLE> SIZE={size}",
        "RCPT TO:<ADA@CUSTOMER.EXAMPLE>",
        "DATA",
        "QUIT",
    ]
    assert size == len(script.taken[0])


def test_lines_of_dots_arrive(*, desk: Desk, pipelining: bool) -> None:
    desk.put(context={"name": ".", "username": "."})
    with serving(Script(pipelining=pipelining)) as script:
        post = office(desk, script)
        assert desk.fates(post) == [Fate.SENT]
        post.close()
    assert script.taken[0].replace(b"\r\n..", b"\r\n.").count(b"Message-ID") == 1
