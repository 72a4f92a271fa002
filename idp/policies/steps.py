"""The steps a sign-in can stand at: what is asked of the person next, as values that only ``policies.entry`` makes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from idp.model import Lost, Proof


class Refusal(StrEnum):
    """Why a sign-in ends without a session. Told only after a correct credential."""

    PENDING = "pending"  # registered, not confirmed yet
    BLOCKED = "blocked"  # by staff
    SUSPENDED = "suspended"  # by inactivity, and policy names no proof this person has
    EXPIRED = "expired"  # by inactivity, past self-reactivation
    CLOSED = "closed"
    LOCKED = "locked"  # a later factor locked, until a moment
    DISABLED = "disabled"  # a later factor reached the cumulative cap
    OTHER_PERSON = "other_person"  # the client asked for someone else (id_token_hint)
    UNMET = "unmet"  # the level the client insists on cannot be reached by this account


@dataclass(frozen=True, slots=True)
class AskUsernameAndPassword:
    """The sign-in page. ``username`` is shown and kept where the person is already known (re-authentication).

    ``told`` names good news to begin with ("password_replaced").
    """

    username: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class AskPin:
    """The PIN page, reached only by a correct password; ``told`` as on the sign-in page ("pin_sent")."""

    length: int
    told: str = ""


@dataclass(frozen=True, slots=True)
class ChoosePassword:
    """Enrolment: choose a password."""

    username: str
    min_length: int
    max_length: int


@dataclass(frozen=True, slots=True)
class ReplacePassword:
    """A new password is demanded before anything else."""

    username: str
    min_length: int
    max_length: int


@dataclass(frozen=True, slots=True)
class CreatePin:
    """Enrolment: create a PIN."""

    length: int


@dataclass(frozen=True, slots=True)
class ReplacePin:
    """A new PIN is demanded before anything else."""

    length: int


@dataclass(frozen=True, slots=True)
class ChooseQuestion:
    """Enrolment: choose one question of the range and record its answer."""

    questions: tuple[str, ...]
    min_length: int


@dataclass(frozen=True, slots=True)
class Reactivate:
    """Access sleeps after inactivity; the answer wakes it."""

    question: str


@dataclass(frozen=True, slots=True)
class ReactivateByCode:
    """The same, by a code sent by "email" or "sms"; it goes out when the person asks for it, which ``sent`` tells."""

    channel: str
    length: int
    sent: bool


@dataclass(frozen=True, slots=True)
class ExtraProof:
    """The client needs more proof than the sign-in gave."""

    question: str


@dataclass(frozen=True, slots=True)
class ExtraProofByCode:
    """The same, by a code sent by "email" or "sms"; it goes out when the person asks for it, which ``sent`` tells."""

    channel: str
    length: int
    sent: bool


@dataclass(frozen=True, slots=True)
class ConfirmRegistration:
    """A registration waits for the code that was sent ``to`` an address or number by ``channel`` ("email" or "sms").

    ``again``: another may be asked for. The page is the same where nothing was registered and nothing sent.
    """

    channel: str
    to: str
    length: int
    again: bool


@dataclass(frozen=True, slots=True)
class KeepAccount:
    """The person has cancelled everything, and may take it back until the data goes."""

    until: datetime


@dataclass(frozen=True, slots=True)
class AcceptTerms:
    """A version of the terms that the person has not seen: to be accepted, or to be taken notice of (``must`` is False)."""

    version: str
    must: bool


@dataclass(frozen=True, slots=True)
class AnswerPurposes:
    """Purposes, by key, that the person has not answered in the version in force: yes or no to each."""

    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChooseCapacity:
    """The person may act in several capacities: which one, by id."""

    capacities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerToRecover:
    """Recovery: the security question of whoever was named, or one that a person of that name might have."""

    lost: Lost
    question: str


@dataclass(frozen=True, slots=True)
class EnterCode:
    """Recovery: a code, sent by "email" or "sms", or shown by the authenticator app ("totp")."""

    lost: Lost
    length: int
    channel: str


@dataclass(frozen=True, slots=True)
class ResetByCode:
    """Recovery: the code that was sent, and on the same page the new password."""

    length: int
    channel: str
    min_length: int
    max_length: int


@dataclass(frozen=True, slots=True)
class MailSent:
    """Recovery: if anyone matched, a letter is on its way. The words are the same for all."""

    lost: Lost


@dataclass(frozen=True, slots=True)
class AskSecondFactor:
    """The factor stronger than the PIN: ``ways`` lists "totp", "passkey" and "recovery_code" as far as the person has them."""

    ways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnrolSecondFactor:
    """Policy demands a second factor and there is none yet: ``ways`` are those offered."""

    ways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GiveConsent:
    """A client that is not the operator's own asks for something not yet allowed to it."""

    client_id: str
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The end without a session."""

    why: Refusal
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Everything asked was proved."""

    proofs: tuple[Proof, ...]


JoiningStep = ConfirmRegistration | KeepAccount | AcceptTerms | AnswerPurposes | ChooseCapacity
RecoveryStep = AnswerToRecover | EnterCode | ResetByCode | MailSent
Step = (
    AskUsernameAndPassword
    | AskPin
    | ChoosePassword
    | ReplacePassword
    | CreatePin
    | ReplacePin
    | ChooseQuestion
    | Reactivate
    | ReactivateByCode
    | ExtraProof
    | ExtraProofByCode
    | JoiningStep
    | RecoveryStep
    | AskSecondFactor
    | EnrolSecondFactor
    | GiveConsent
    | Refused
    | Done
)
