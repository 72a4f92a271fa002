"""What proofs amount to: assurance level (acr), methods (amr) and time (auth_time), all computed from the evidence alone."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from idp.model import Account, Factor, Proof
from idp.policies.policy import Level, Policy, Proving

LEVELS: tuple[Level, ...] = ("pwd", "pwd+pin", "extra", "mfa")

# Authentication method references (RFC 8176). Two things a person knows are never "mfa"; the answer is "kba".
_AMR = {
    Factor.PASSWORD: "pwd",
    Factor.PIN: "pin",
    Factor.ANSWER: "kba",
    Factor.CODE: "otp",
    Factor.TOTP: "otp",
    Factor.RECOVERY_CODE: "otp",
    Factor.PASSKEY: "hwk",
}
# Each is stronger than the PIN: something the person has.
STRONG = frozenset({Factor.TOTP, Factor.RECOVERY_CODE, Factor.PASSKEY})
# What proves nothing once it is gone; other proofs (an invitation, a code) have no secret that is kept.
_TAKEN_AWAY = frozenset({Factor.TEMPORARY, Factor.TOTP, Factor.PASSKEY})
FACTOR_OF: dict[Proving, Factor] = {
    "answer": Factor.ANSWER,
    "email_code": Factor.CODE,
    "sms_code": Factor.CODE,
    "totp": Factor.TOTP,
    "passkey": Factor.PASSKEY,
}


def dated(proof: Proof, account: Account | None) -> Proof:
    """A proof just given, as it is recorded: never older than the secret it was given for, also where clocks are set back."""
    held = account.credential(proof.factor) if account is not None else None
    return proof if held is None else replace(proof, at=max(proof.at, held.set_at))


def still_true(proofs: Iterable[Proof], account: Account) -> tuple[Proof, ...]:
    """The proofs that rest on no secret replaced since: an old password proves nothing once there is a new one.

    A temporary password goes with the choice of a new one, in whichever browser it was made: then it proves nothing either,
    and no more does an app or a passkey that was taken away.
    """
    held = {credential.factor: credential.set_at for credential in account.credentials}
    return tuple(
        proof
        for proof in proofs
        if (proof.at >= held[proof.factor] if proof.factor in held else proof.factor not in _TAKEN_AWAY)
    )


def second_factors(account: Account) -> tuple[str, ...]:
    """The factors stronger than the PIN that the account holds."""
    return tuple(str(factor) for factor in (Factor.TOTP, Factor.PASSKEY) if account.credential(factor) is not None)


def offered_second_factors(policy: Policy) -> tuple[str, ...]:
    """The factors stronger than the PIN that policy offers."""
    rules = policy.second_factor
    on = {Factor.TOTP: rules.totp, Factor.PASSKEY: rules.passkey != "off"}
    return tuple(str(factor) for factor in on if on[factor])


def acr(proofs: Iterable[Proof], policy: Policy, now: datetime) -> Level:
    """The assurance level that proofs reach at ``now``; "extra" lasts as long as policy says, the others with the session."""
    held = {proof.factor for proof in proofs if proof.factor in _AMR}
    if Factor.PASSKEY in held or (Factor.PASSWORD in held and held & STRONG):
        return "mfa"
    fresh = {proof.factor for proof in proofs if now - proof.at <= policy.step_up.fresh_for}
    signed_in = Factor.PASSWORD in held and (Factor.PIN in held or not policy.pin.enabled)
    if signed_in and fresh & _extra_factors(policy):
        return "extra"
    return "pwd+pin" if Factor.PASSWORD in held and Factor.PIN in held else "pwd"


def amr(proofs: Iterable[Proof]) -> tuple[str, ...]:
    """Methods used (RFC 8176), each once, in the order of the factors."""
    held = {proof.factor for proof in proofs}
    return tuple(dict.fromkeys(name for factor, name in _AMR.items() if factor in held))


def auth_time(proofs: Iterable[Proof]) -> datetime:
    """When the person last showed who they are: the latest password or passkey, or else the latest proof of all."""
    proofs = tuple(proofs)
    primary = [proof.at for proof in proofs if proof.factor in (Factor.PASSWORD, Factor.PASSKEY)]
    return max(primary or [proof.at for proof in proofs])


def reaches(level: str, wanted: str) -> bool:
    """Whether one level is at least another; an unknown level is reached by none and reaches none."""
    if level not in LEVELS or wanted not in LEVELS:
        return False
    return LEVELS.index(level) >= LEVELS.index(wanted)


def wanted_level(acceptable: Iterable[str]) -> Level | None:
    """The least of the acceptable levels that this product knows; None where it knows none of them."""
    known = [level for level in LEVELS if level in tuple(acceptable)]
    return known[0] if known else None


def extra_ways(account: Account, policy: Policy) -> tuple[Proving, ...]:
    """The proofs beyond the sign-in that the account holds, of those that policy takes, in its order.

    A code goes only where one came back from before, or who registered with another's address would prove nothing.
    """
    held = {
        "answer": account.credential(Factor.ANSWER) is not None,
        "email_code": bool(account.email) and account.email_confirmed_at is not None,
        "sms_code": account.mobile is not None,
        "totp": account.credential(Factor.TOTP) is not None,
        "passkey": account.credential(Factor.PASSKEY) is not None,
    }
    return tuple(way for way in policy.step_up.extra_by if held[way])


def shown_lately(proofs: Iterable[Proof], account: Account, policy: Policy, now: datetime) -> bool:
    """Whether what was proved opens all that is held about a person: an extra proof or a second factor, given not long ago.

    Of whoever holds neither nothing more can be asked than the password, given as lately.
    """
    true = still_true(proofs, account)
    lately = {proof.factor for proof in true if now - proof.at <= policy.step_up.fresh_for}
    if not _holds_more(account, policy):
        return bool(lately & {Factor.PASSWORD, Factor.PASSKEY})
    return reaches(acr(true, policy, now), "extra") and bool(lately & (STRONG | _extra_factors(policy)))


def fresh_since(proofs: Iterable[Proof], account: Account, policy: Policy, now: datetime) -> datetime | None:
    """The moment before which proofs do not count for a page that wants one given lately; None: only the missing one is asked.

    Everything is asked anew where the walk would find nothing missing: a second factor counts as long as the session.
    """
    if _holds_more(account, policy) and not reaches(acr(still_true(proofs, account), policy, now), "extra"):
        return None
    return now


def _holds_more(account: Account, policy: Policy) -> bool:
    return bool(extra_ways(account, policy) or second_factors(account))


def _extra_factors(policy: Policy) -> set[Factor]:
    return {FACTOR_OF[way] for way in policy.step_up.extra_by}


def can_reach(account: Account, level: Level, policy: Policy) -> bool:
    """Whether the account holds what the level takes."""
    if level == "pwd":
        return True
    if level == "pwd+pin":
        return policy.pin.enabled
    if level == "extra":
        return bool(extra_ways(account, policy))
    return account.credential(Factor.TOTP) is not None or account.credential(Factor.PASSKEY) is not None
