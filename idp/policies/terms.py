"""The sections of the policy about machines: how long data is kept, how often may be asked, and how long tokens live."""

from dataclasses import dataclass
from datetime import timedelta

from idp.policies.rule import DAYS, HOURS, MINUTES, rule


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each kind of data is kept."""

    audit: timedelta = rule(400 * DAYS, "Audit records.", floor=90 * DAYS)
    letters: timedelta = rule(
        30 * DAYS,
        "Letters that were sent or given up, without their secrets; what relying parties did not take.",
        floor=1 * DAYS,
    )
    attempts: timedelta = rule(
        90 * DAYS,
        "Counters that nothing has touched, and when codes and letters were asked for. Failures in a row stay until a "
        "success: `lockout.cumulative_cap` counts them however slow they come.",
        floor=1 * DAYS,
    )
    closed_accounts: timedelta = rule(30 * DAYS, "Personal data of closed accounts.", floor=0 * DAYS)
    former_credentials: timedelta = rule(730 * DAYS, "Hashes of former passwords and PINs.", floor=1 * DAYS)
    ended: timedelta = rule(
        7 * DAYS, "Invitations, mailed codes and links, and temporary passwords, after they ended.", floor=3 * DAYS
    )
    grants: timedelta = rule(
        30 * DAYS, "What clients were granted, with its codes and refresh tokens, after it ended.", floor=1 * DAYS
    )


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Limits by source address (a /24 or /64), written as "20/minute". They throttle machines; lockout guards accounts."""

    sign_in: str = rule("60/minute", "Answers to a sign-in page.")
    invitation: str = rule("20/minute", "Invitation codes tried, and codes of devices.")
    recovery: str = rule("10/minute", "Recoveries begun.")
    recovery_everywhere: str = rule("600/minute", "Recoveries begun from all addresses together.")
    change: str = rule("30/minute", "Changes tried in My Profile.")
    registration: str = rule("10/minute", "Registrations begun.")
    token_failures: str = rule("60/minute", "Failed client authentications.", source="RFC 6749 2.3.1")
    authorize: str = rule("300/minute", "Authorization requests.")


@dataclass(frozen=True, slots=True)
class Tokens:
    """How long codes and tokens live, and how refresh tokens behave."""

    code: timedelta = rule(
        timedelta(seconds=60),
        "Life of an authorization code.",
        floor=timedelta(seconds=10),
        ceiling=10 * MINUTES,
        source="RFC 6749 4.1.2",
    )
    pushed_request: timedelta = rule(
        timedelta(seconds=90),
        "How long a pushed authorization request waits for its person.",
        floor=timedelta(seconds=10),
        ceiling=10 * MINUTES,
        source="RFC 9126 2.2; FAPI 2.0 5.3.2.2",
    )
    device_code: timedelta = rule(
        10 * MINUTES,
        "How long a device waits for the code on its screen to be entered.",
        floor=1 * MINUTES,
        ceiling=30 * MINUTES,
        source="RFC 8628 6.1",
    )
    dpop_nonce: bool = rule(
        True,
        "Whether proofs of possession must carry a nonce of ours, so that none can be made in advance.",
        source="RFC 9449 8",
    )
    id_token: timedelta = rule(10 * MINUTES, "Life of an ID token.", floor=1 * MINUTES, ceiling=24 * HOURS)
    access_token: timedelta = rule(
        10 * MINUTES,
        "Longest life of an access token; a resource may ask for less.",
        floor=1 * MINUTES,
        ceiling=1 * HOURS,
        source="ASVS 10.4.2",
    )
    refresh_idle: timedelta = rule(
        24 * HOURS, "Life of a refresh token that is not used.", floor=5 * MINUTES, ceiling=90 * DAYS
    )
    refresh_absolute: timedelta = rule(
        30 * DAYS, "Life of the whole family of refresh tokens.", floor=5 * MINUTES, ceiling=400 * DAYS, source="RFC 9700 4.14"
    )
    reuse_grace: timedelta = rule(
        timedelta(seconds=10),
        "How long the last refresh token may be presented once more, for a client that lost the answer.",
        floor=timedelta(0),
        ceiling=timedelta(seconds=60),
    )
    key_rotation_overlap: timedelta = rule(24 * HOURS, "How long a key is published before it signs.", floor=0 * HOURS)
