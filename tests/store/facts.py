"""Values for the tests: one of each noun, with every field set to something of its own."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from idp.model import (
    Account,
    AccountState,
    Agreed,
    Ask,
    AuditEntry,
    AuthorizationCode,
    Capacity,
    Credential,
    Device,
    Ending,
    Factor,
    Grant,
    Invitation,
    KeyUse,
    Letter,
    Lost,
    Proof,
    Quiet,
    Recovering,
    Registering,
    Reminder,
    Role,
    Session,
    SignIn,
    SigningKey,
)

NOW = datetime(2031, 5, 4, 3, 2, 1, 654321, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
QUIET = Quiet(
    (Reminder(Ending.SUSPENSION, 30 * DAY, "l1", NOW - MINUTE, NOW), Reminder(Ending.EXPIRY, DAY, "l2", NOW)),
    suspended_at=NOW - SECOND,
    expired_at=NOW,
)
PROOFS = (Proof(Factor.PASSWORD, NOW - MINUTE), Proof(Factor.PIN, NOW - SECOND))


def credential(factor: Factor = Factor.PASSWORD, **facts: Any) -> Credential:
    return dataclasses.replace(Credential(factor, f"$hash${factor}", NOW), **facts)


def account(**facts: Any) -> Account:
    whole = Account(
        id="a1",
        username="Ada.Lovelace",
        email="Ada@Example.com",
        given_name="Ada",
        family_name="Lovelace",
        state=AccountState.INVITED,
        created_at=NOW - DAY,
        mobile="+39 055 123",
        locale="it",
        zone="Europe/Rome",
        entitlements=frozenset({"bills", "faults"}),
        credentials=(credential(Factor.ANSWER, question="pet", must_change=True), credential()),
        enrolled_at=NOW - 3 * HOUR,
        last_sign_in_at=NOW - 2 * HOUR,
        reactivated_at=NOW - HOUR,
        sessions_valid_from=NOW - MINUTE,
        state_at=NOW - 4 * HOUR,
        last_refresh_at=NOW - 5 * MINUTE,
        last_step_up_at=NOW - 6 * MINUTE,
        quiet=QUIET,
        email_confirmed_at=NOW - 7 * MINUTE,
        capacities=(Capacity("c1", Role.CONSUMER), Capacity("c2", Role.ON_BEHALF, "Analytical Engines", b"\0sealed\xff")),
        agreed=(Agreed("terms", "2031-01", True), Agreed("news", "2", False)),
    )
    return dataclasses.replace(whole, **facts)


def sign_in(**facts: Any) -> SignIn:
    ask = Ask(
        client_id="portal",
        parameters=(("state", "x\0\ud800é"), ("state", "again")),
        scope=("openid", "bills"),
        acr=("extra", "pwd"),
        acr_essential=True,
        fresh_since=NOW,
        subject="a1",
        consent_given=False,
        login_hint="ada\0",
        locale="it",
        onward="profile",
        user_code="WDJBMJHT",
    )
    whole = SignIn(
        id="s1",
        browser="b1",
        started_at=NOW,
        expires_at=NOW + 10 * MINUTE,
        ask=ask,
        account_id="a1",
        proofs=PROOFS,
        invitation="i1",
        consented=True,
        finished=True,
        recovering=Recovering(Lost.PASSWORD, "a1", ("answer", "email_code"), "first_school", PROOFS, sent=True),
        told="pin_sent",
        challenge="c1",
        remember=True,
        code_sent=True,
        registering=Registering("a1", "sms", "+39 055 123\0", 2),
        capacity="c2",
    )
    return dataclasses.replace(whole, **facts)


def session(id_: str = "x1", **facts: Any) -> Session:
    whole = Session(
        id=id_,
        public_id=f"public-{id_}",
        account_id="a1",
        proofs=PROOFS,
        created_at=NOW,
        last_seen_at=NOW,
        expires_at=NOW + 30 * MINUTE,
        device="d1",
        agent="firefox",
        capacity="c2",
    )
    return dataclasses.replace(whole, **facts)


def grant(**facts: Any) -> Grant:
    whole = Grant(
        id="g1",
        account_id="a1",
        client_id="portal",
        scope=("openid", "bills"),
        resources=("https://billing.example",),
        proofs=PROOFS,
        created_at=NOW,
        expires_at=NOW + 30 * DAY,
        session="public-x1",
        sid="public-x1",
        claims=("email",),
        capacity="c2",
        jkt="k1",
    )
    return dataclasses.replace(whole, **facts)


def code(**facts: Any) -> AuthorizationCode:
    whole = AuthorizationCode(
        digest="c1",
        grant_id="g1",
        redirect_uri="https://portal.example/back",
        redirect_uri_given=True,
        code_challenge="challenge",
        nonce="n",
        issued_at=NOW,
        expires_at=NOW + MINUTE,
    )
    return dataclasses.replace(whole, **facts)


def device(**facts: Any) -> Device:
    return dataclasses.replace(Device("d1", "a1", "cookie", NOW - DAY, NOW), **facts)


def invitation(**facts: Any) -> Invitation:
    return dataclasses.replace(Invitation("i1", "a1", NOW, NOW + 72 * HOUR, "portal"), **facts)


def key(**facts: Any) -> SigningKey:
    whole = SigningKey("k1", "ES256", KeyUse.CURRENT, {"kty": "EC", "x": "1"}, b"\0sealed", NOW, NOW, NOW + DAY)
    return dataclasses.replace(whole, **facts)


def entry(**facts: Any) -> AuditEntry:
    whole = AuditEntry(NOW, "a1", "sign_in", "locked", "a1", {"factor": "pin", "before": 4, "known": False}, "digest")
    return dataclasses.replace(whole, **facts)


def letter(id_: str = "l1", **facts: Any) -> Letter:
    return dataclasses.replace(Letter(id_, "email", "ada@example.com", "invitation", "it", {}, NOW, NOW + DAY), **facts)
