"""Letters that reached nobody: found by their template, with the last words about them and whose they are."""

from dataclasses import replace
from datetime import timedelta

from idp.store import Store
from tests.store.facts import DAY, NOW, account, letter

LEASE = timedelta(minutes=2)


def held(store: Store) -> None:
    """Ada's letters, one of each fate, and some that are nobody's or of another kind."""
    with store.begin() as tx:
        tx.accounts.add(account(), "ada")
        for name in ("waits", "tried", "dead", "sent", "expired"):
            tx.outbox.put(replace(letter(), id=name, template="reminder", account_id="a1", not_after=NOW + DAY), b"sealed")
        tx.outbox.put(replace(letter(), id="other", template="another", account_id="a1"), b"sealed")
        tx.outbox.put(replace(letter(), id="nobody's", template="reminder", account_id=None), b"sealed")
        tx.outbox.put(replace(letter(), id="gone", template="reminder", account_id="a2"), b"sealed")
        tx.outbox.failed("tried", NOW, "450 later", NOW + DAY)
        tx.outbox.failed("dead", NOW, "550 no", None)
        tx.outbox.sent("sent", NOW)


def test_letters_that_were_not_accepted_come_with_their_words_and_their_person(store: Store):
    held(store)
    with store.read() as tx:
        look = tx.unused.undelivered
        (dead,) = look("reminder", dead=True)
        assert (dead.letter, dead.words, dead.at) == ("dead", "550 no", NOW)
        waiting = look("reminder", dead=False)
        # In the order in which they are tried again.
        assert [(one.letter, one.words) for one in waiting] == [("expired", ""), ("waits", ""), ("tried", "450 later")]
        assert all(one.account == replace(account(), credentials=()) for one in (dead, *waiting))
        first = look("reminder", dead=False, limit=1)[0]
        assert look("reminder", dead=False, since=first.at, after=first.letter) == waiting[1:]
        assert look("reminder", dead=False, since=waiting[-1].at, after=waiting[-1].letter) == []
        assert look("reminders", dead=False) == look("reminders", dead=True) == []


def test_the_words_of_a_letter_that_was_given_up(store: Store):
    held(store)
    with store.begin() as tx:
        tx.outbox.expire(NOW + 2 * DAY)
        words = {name: tx.unused.refusal(name) for name in ("waits", "tried", "dead", "sent", "unheard of")}
    assert words == {"waits": "expired", "tried": "450 later", "dead": "550 no", "sent": None, "unheard of": None}


def test_a_letter_that_came_back_is_dead_and_only_one_that_was_sent_can(store: Store):
    held(store)
    with store.begin() as tx:
        for name in ("sent", "waits", "dead"):
            tx.unused.came_back(name, "came back", NOW + DAY)
        dead = {one.letter: (one.at, one.words) for one in tx.unused.undelivered("reminder", dead=True)}
        assert dead == {"sent": (NOW + DAY, "came back"), "dead": (NOW, "550 no")}
        assert "waits" in {one.letter for one in tx.unused.undelivered("reminder", dead=False)}
        # Its words are gone: it can't be sent again.
        assert tx.outbox.rise(NOW + DAY, "sent") == 0
