"""What may be a username, password, PIN or answer, and in which form each is compared.

A judgement is a tuple of the names of its faults, empty where there is none; words for them live in the templates.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from idp.model import Account, Credential, Factor
from idp.policies.policy import Password, Pin, Policy, SecurityQuestion

USERNAME_MAX = 64
ANSWER_MAX = 256
_TYPED_MAX = 1024
_USERNAME = re.compile(r"[^\s\x00-\x1f\x7f<>\"'&]{3,64}")
_COMMON_ANSWERS = frozenset(
    {"123", "1234", "12345", "abc", "none", "nothing", "yes", "no", "test", "answer", "nessuno", "niente", "risposta", "prova"}
)
_PERSONAL_MIN = 4


def canonical_username(typed: str) -> str:
    """The form under which a username is unique and found: NFKC, casefolded, without invisible characters.

    Width, case and surrounding space make no second name, and so no second counter. Longer input matches nobody.
    """
    if len(typed) > _TYPED_MAX:
        return ""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).casefold())
    return "".join(char for char in folded if unicodedata.category(char) not in ("Cf", "Cc")).strip()


def username_faults(chosen: str) -> tuple[str, ...]:
    """Whether a username may be given: 3 to 64 visible characters that mean the same in every form."""
    if not _USERNAME.fullmatch(chosen) or len(canonical_username(chosen)) < 3:  # noqa: PLR2004 - as in the pattern
        return ("username_form",)
    return ()


def prepare_password(typed: str) -> str:
    """NFKC, so that keyboards and systems agree on the same password (NIST SP 800-63B-4 3.1.1.2); nothing is cut off."""
    return unicodedata.normalize("NFKC", typed)


def prepare_answer(typed: str) -> str:
    """An answer as compared: NFKC, casefolded, spaces folded to one."""
    return " ".join(unicodedata.normalize("NFKC", typed).casefold().split())


def prepare_spoken(typed: str) -> str:
    """A code or password that was read aloud, as compared: its letters and digits alone, whatever stands between them."""
    folded = unicodedata.normalize("NFKC", typed[:_TYPED_MAX]).casefold()
    return "".join(char for char in folded if char.isalnum())


def prepare(factor: Factor, typed: str) -> str:
    """A secret in the form in which it is hashed and verified."""
    if factor is Factor.PASSWORD:
        return prepare_password(typed)
    if factor is Factor.ANSWER:
        return prepare_answer(typed)
    return typed


def plausible(factor: Factor, typed: str, policy: Policy) -> bool:
    """Whether a secret could be anyone's at all; what could not be is verified against nothing, and still counted."""
    if factor is Factor.PIN:
        return is_pin(typed, policy.pin)
    longest = policy.password.max_length if factor is Factor.PASSWORD else ANSWER_MAX
    return 0 < len(typed) <= longest


def password_faults(password: str, account: Account, rules: Password, *, breached: bool, reused: bool) -> tuple[str, ...]:
    """Whether a password may be chosen. ``breached`` and ``reused`` are facts looked up by the caller."""
    faults = []
    if len(password) < rules.min_length:
        faults.append("too_short")
    if len(password) > rules.max_length:
        faults.append("too_long")
    if rules.require_letters_and_digits and not (any(c.isalpha() for c in password) and any(c.isdigit() for c in password)):
        faults.append("letters_and_digits")
    if rules.refuse_personal and _contains_personal(password, account):
        faults.append("personal")
    if rules.refuse_breached and breached:
        faults.append("breached")
    if reused:
        faults.append("reused")
    return tuple(faults)


def is_pin(typed: str, rules: Pin) -> bool:
    """Whether the text is a PIN at all: ASCII digits only, exactly as many as policy says, zeros kept."""
    return len(typed) == rules.length and typed.isascii() and typed.isdigit()


def pin_faults(pin: str, account: Account, rules: Pin, *, reused: bool) -> tuple[str, ...]:
    """Whether a PIN may be chosen."""
    if not is_pin(pin, rules):
        return ("pin_form",)
    faults = []
    if rules.refuse_weak and (_guessable(pin) or _of_a_number(pin, account)):
        faults.append("weak_pin")
    if reused:
        faults.append("reused")
    return tuple(faults)


def answer_faults(answer: str, question: str, account: Account, rules: SecurityQuestion) -> tuple[str, ...]:
    """Whether an answer may be recorded, and its question is one of those offered."""
    if question not in rules.questions:
        return ("question_unknown",)
    prepared = prepare_answer(answer)
    if len(prepared) < rules.min_answer_length:
        return ("answer_short",)
    if len(prepared) > ANSWER_MAX:
        return ("answer_long",)
    names = {prepare_answer(name) for name in (account.username, account.given_name, account.family_name, account.full_name)}
    if prepared in names or prepared in _COMMON_ANSWERS or len(set(prepared)) == 1:
        return ("answer_weak",)
    return ()


def must_replace(credential: Credential | None, policy: Policy, now: datetime) -> bool:
    """Whether a password or PIN has to be replaced before anything else: marked so, or past its age."""
    if credential is None:
        return False
    ages = ages_at(credential, policy)
    return credential.must_change or (ages is not None and now >= ages)


def ages_at(credential: Credential, policy: Policy) -> datetime | None:
    """The moment from which a password is too old and has to be replaced; None where policy sets no age."""
    limit = policy.password.max_age if credential.factor is Factor.PASSWORD else None
    return credential.set_at + limit if limit is not None else None


def _contains_personal(password: str, account: Account) -> bool:
    folded = password.casefold()
    local_part = account.email.partition("@")[0]
    words: Iterable[str] = (
        account.username,
        account.given_name,
        account.family_name,
        account.email,
        local_part,
        account.mobile or "",
    )
    return any(len(word) >= _PERSONAL_MIN and word.casefold() in folded for word in words)


def _guessable(pin: str) -> bool:
    """Runs, repeats, pairs and repeated patterns: 123456, 987654, 000000, 112233, 121212, 123123."""
    digits = [int(char) for char in pin]
    steps = {(after - before) % 10 for before, after in pairwise(digits)}
    if len(steps) == 1:
        return True
    repeats = any(len(pin) % size == 0 and pin == pin[:size] * (len(pin) // size) for size in (1, 2, 3))
    pairs = len(pin) % 2 == 0 and all(pin[i] == pin[i + 1] for i in range(0, len(pin), 2))
    return repeats or pairs or pin[: len(pin) // 2] == pin[len(pin) // 2 :][::-1]


def _of_a_number(pin: str, account: Account) -> bool:
    digits = re.sub(r"\D", "", account.mobile or "")
    return bool(digits) and pin in digits
