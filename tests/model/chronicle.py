"""What the inactivity model knows by itself: when each person used their access, which laws held, which reminders were taken.

What should have come of it is worked out here from that alone, as a person would with a calendar, apart from the product.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from idp.policies.policy import Inactivity

# A reminder not accepted is asked for anew after this; an invitation never taken up, and a closed account, are kept so long.
ASKED_AGAIN = timedelta(days=7)
KEPT = timedelta(days=30)
Spans = Sequence[tuple[datetime, timedelta | None]]


@dataclass
class Asked:
    """A reminder that upkeep asked for, the end that its letter tells of, and when the mail server took it."""

    ending: str
    ahead: timedelta
    letter: str
    at: datetime
    ends: datetime | None = None
    accepted: datetime | None = None


@dataclass
class Law:
    """The rules of inactivity, and the ones before them, each with the moment from which it held."""

    rules: Inactivity
    history: list[tuple[datetime, Inactivity]] = field(default_factory=list)

    def spans(self, name: str) -> Spans:
        return [(began, getattr(rules, name)) for began, rules in self.history]

    def reminders(self, ending: str) -> list[timedelta]:
        """Those that must have been accepted before an ending, the earliest first."""
        listed = self.rules.suspend_reminders if ending == "suspension" else self.rules.expire_reminders
        return sorted(listed, reverse=True)


def over(since: datetime, spans: Spans) -> datetime | None:
    """When the access has been unused for as long as every rule said that held meanwhile: from whichever day one counts."""
    found = []
    for day in (since, *(began for began, _ in spans if began > since)):
        last = len(spans) - 1
        held = [span for place, (_, span) in enumerate(spans) if place == last or spans[place + 1][0] > day]
        if None not in held:
            found.append(day + max(span for span in held if span is not None))
    return min(found) if found else None


@dataclass
class Life:
    """One person's access. ``bent``: within this quiet period the law was changed or the clock set back."""

    username: str
    id: str
    state: str
    state_at: datetime
    uses: dict[str, datetime]
    asked: list[Asked] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)
    taken: list[tuple[str, timedelta]] = field(default_factory=list)
    bent: bool = False
    set_back: bool = False
    gone: bool = False

    def used(self, how: str, now: datetime, law: Law) -> None:
        """The access was used: the quiet before it is forgotten."""
        before = self.since(law)
        self.uses[how] = now
        if how != "refresh" or self.since(law) > before:
            self.forget()

    def forget(self) -> None:
        self.asked, self.told, self.ends, self.taken, self.bent, self.set_back = [], [], [], [], False, False

    def decided(self, state: str, now: datetime) -> None:
        self.state, self.state_at = state, now
        self.forget()

    def since(self, law: Law) -> datetime:
        counted = [at for how, at in self.uses.items() if how != "refresh" or "refresh" in law.rules.activity]
        if law.rules.in_force_since:
            counted.append(datetime.fromisoformat(f"{law.rules.in_force_since}T00:00:00+00:00"))
        return max(counted)

    def current(self, ending: str, ahead: timedelta) -> Asked | None:
        """The reminder as it was last asked for in this quiet period."""
        return next((one for one in reversed(self.asked) if (one.ending, one.ahead) == (ending, ahead)), None)

    # What comes when

    def earliest(self, law: Law, ending: str) -> datetime | None:
        """No ending comes before this, whatever was accepted; None: never."""
        return over(self.since(law), law.spans("suspend_after" if ending == "suspension" else "expire_after"))

    def reminded(self, law: Law, ending: str, at: datetime | None) -> datetime | None:
        """When the last of the reminders has given its time; None while one was not accepted."""
        for ahead in law.reminders(ending) if law.rules.require_reminders else ():
            asked = self.current(ending, ahead)
            if at is None or asked is None or asked.accepted is None:
                return None
            at = max(at, asked.accepted + ahead)
        return at

    def suspends(self, law: Law) -> datetime | None:
        return self.reminded(law, "suspension", self.earliest(law, "suspension"))

    def expires(self, law: Law) -> datetime | None:
        at, rules = self.earliest(law, "expiry"), law.rules
        if at is None:
            return None
        if rules.suspend_after is not None:
            suspends = self.suspends(law)
            if suspends is None or rules.expire_after is None:
                return None
            at = max(at, suspends + rules.expire_after - rules.suspend_after)
        return self.reminded(law, "expiry", at)

    def goes(self, law: Law) -> datetime | None:
        """When the data goes."""
        if self.state in {"invited", "closed"}:
            return self.state_at + KEPT
        expires = self.expires(law) if self.state == "active" else None
        return over(expires, law.spans("purge_after")) if expires is not None else None

    def plain(self, law: Law) -> bool:
        """Whether all that counts is known here: where the law changed, what was noted under the old one counts too."""
        return self.state != "active" or not self.bent or not law.rules.require_reminders

    def standing(self, law: Law, now: datetime) -> str:
        if self.state != "active":
            return self.state
        for ends, name in ((self.expires(law), "expired"), (self.suspends(law), "suspended")):
            if ends is not None and now >= ends:
                return name
        return "active"

    def wanted(self, law: Law, now: datetime) -> tuple[str, timedelta] | None:
        """The required reminder that somebody must have asked for by now, and lately enough."""
        if self.state != "active" or not law.rules.require_reminders:
            return None
        suspends = self.suspends(law)
        suspension = law.rules.suspend_after is not None and (suspends is None or now < suspends)
        ending = "suspension" if suspension else "expiry"
        at = self.earliest(law, ending)
        if ending == "expiry" and at is not None and suspends is not None:
            rules = law.rules
            at = max(at, suspends + (rules.expire_after or timedelta(0)) - (rules.suspend_after or timedelta(0)))
        for ahead in law.reminders(ending):
            if at is None or now < at - ahead:
                return None
            asked = self.current(ending, ahead)
            if asked is None or asked.accepted is None:
                return ending, ahead
            at = max(at, asked.accepted + ahead)
        return None

    def moments(self, law: Law) -> list[datetime]:
        """When something may happen: what a test of boundaries goes to."""
        found = [self.suspends(law), self.expires(law), self.goes(law)]
        for ending in ("suspension", "expiry"):
            at = self.earliest(law, ending)
            found += [at, *(at - ahead for ahead in law.reminders(ending))] if at is not None else []
        found += [one.at + ASKED_AGAIN for one in self.asked if one.accepted is None]
        return sorted({one for one in found if one is not None})
