"""``idp upkeep``: what it foresees is what it then does, the dry run writes nothing, and it can be stopped."""

import json
import signal
import time
from collections import Counter
from typing import Any

import pytest
from click.testing import CliRunner, Result

from idp.cli import idp
from idp.cli.tally import KINDS
from idp.flows.upkeep import _GONE_FOR
from idp.policies.inactivity import Act
from tests.upkeep.conftest import DAY, DUE, PATIENCE, Crowd

ALL = tuple(DUE)
# What the audit calls an act, as the command names it.
_NAMES = {
    "remind": {"suspension": "reminder.asked suspension", "expiry": "reminder.asked expiry"},
    "suspend": {"": "account.suspended"},
    "expire": {"": "account.expired"},
    "purge": dict.fromkeys(("expired", "closed", "cancelled", "never_confirmed", "never_came"), "account.purged"),
}


def run(crowd: Crowd, *arguments: str) -> Result:
    """The command as its users run it, within this process."""
    return CliRunner(env=crowd.environ).invoke(idp, ["upkeep", *arguments])


def document(crowd: Crowd, *arguments: str) -> dict[str, Any]:
    said = run(crowd, "--json", *arguments)
    assert said.exit_code == 0, said.output
    read: dict[str, Any] = json.loads(said.stdout)
    return read


def listed(said: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((one["id"], _NAMES[one["act"]][one["of"]]) for one in said["listed"])


def test_the_dry_run_writes_nothing_and_foretells_exactly_what_is_done(crowd: Crowd) -> None:
    crowd.add(7, *ALL)
    for account_id in crowd.due:
        crowd.let_in(account_id)
    before = crowd.dump()
    foretold = document(crowd, "--dry-run", "--list")
    assert run(crowd, "--dry-run").exit_code == 0
    assert crowd.dump() == before
    assert listed(foretold) == crowd.wanted()
    happened = document(crowd)
    assert (foretold["dry_run"], happened["dry_run"]) == (True, False)
    assert foretold["whole"] is happened["whole"] is True
    for part in ("acts", "retention", "accounts", "policy"):
        assert foretold[part] == happened[part], part
    crowd.judge()
    again = document(crowd, "--dry-run", "--list")
    assert again["listed"] == []
    assert not any(one["count"] for one in again["acts"])


def test_the_foresight_of_a_later_moment_is_what_is_done_then(crowd: Crowd) -> None:
    crowd.add(3, *ALL)
    then = crowd.clock() + 45 * DAY
    before = crowd.dump()
    foretold = document(crowd, "--dry-run", "--list", "--at", then.isoformat())
    assert foretold["at"] == then.isoformat()
    assert crowd.dump() == before
    crowd.clock.move(days=45)
    crowd.sweep()
    assert crowd.acts() == listed(foretold)
    # Others than today: in the meantime one more month has passed for everybody.
    assert listed(foretold) != crowd.wanted()


def test_retention_is_foretold_by_kind_and_rule(crowd: Crowd) -> None:
    made = crowd.add(4, "quiet")
    old = crowd.clock() - 800 * DAY
    with crowd.world.store.begin() as tx:
        for account_id in made:
            crowd.world.record(tx, old, "signed_in", "done", account=account_id)
            letter = crowd.world.send(tx, old, "enrolled", _account(crowd, account_id), {})
            tx.outbox.sent(letter, old)
    foretold = document(crowd, "--dry-run")
    counts = {one["kind"]: one["count"] for one in foretold["retention"]}
    assert counts["letters"] == 4
    assert {"key": "retention.letters", "value": "30d"} in next(
        one["rules"] for one in foretold["retention"] if one["kind"] == "letters"
    )
    assert document(crowd)["retention"] == foretold["retention"]
    assert not any(one["count"] for one in document(crowd, "--dry-run")["retention"])


def test_every_reason_for_which_data_goes_is_told_with_its_rule() -> None:
    assert sorted(_GONE_FOR.values()) == sorted(kind.of for kind in KINDS if kind.act is Act.PURGE)


def _account(crowd: Crowd, account_id: str) -> Any:
    account = crowd.account(account_id)
    assert account is not None
    return account


def test_each_row_names_the_rule_and_its_value_and_each_account(crowd: Crowd) -> None:
    crowd.add(2, *ALL)
    said = run(crowd, "--dry-run", "--list").stdout
    for words in (
        "inactivity.suspend_after = 120d",
        "inactivity.suspend_reminders = 30d, 14d, 3d",
        "retention.closed_accounts = 30d",
        "leaving.grace = 14d",
        "registration.purge_unconfirmed_after = 30d",
        "retention.audit = ",
    ):
        assert words in said, said
    for account_id, acts in crowd.due.items():
        assert said.count(account_id) == len(acts)


def test_options_that_go_with_the_dry_run_are_refused_without_it(crowd: Crowd) -> None:
    crowd.add(1, "suspend")
    before = crowd.dump()
    for arguments in (["--list"], ["--at", "2031-01-01"], ["--dry-run", "--at", "soon"], ["--dry-run", "--at", "9999-99-99"]):
        said = run(crowd, *arguments)
        assert said.exit_code == 2, said.output
    assert crowd.dump() == before


def test_where_another_has_the_turn_it_says_so_and_does_nothing(crowd: Crowd) -> None:
    crowd.add(15, "suspend")
    going = crowd.pausing()
    before = crowd.acts()
    said = run(crowd)
    assert said.exit_code == 0
    assert "Another worker" in said.stderr
    assert document(crowd) == {"dry_run": False, "whole": False, "elsewhere": True}
    assert crowd.acts() == before
    assert list(going)[-1].whole
    crowd.judge()


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_told_to_stop_it_says_where_and_the_next_run_goes_on_there(crowd: Crowd, number: int) -> None:
    crowd.add(400, "suspend", "remind")
    process, ends = crowd.run("--json"), time.monotonic() + PATIENCE
    # Past the first batch: a place was written down.
    while crowd.written() < 520:
        assert time.monotonic() < ends
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert json.loads(out)["whole"] is False
    assert "Stopped" in err
    assert crowd.written() < crowd.wanted().total()
    # Nothing is held: the next has the turn at once.
    code, said, beside = crowd.ran()
    assert (code, said["whole"]) == (0, True)
    assert "Going on" in beside
    crowd.judge()
