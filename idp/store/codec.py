"""How sign-ins, sessions and grants are written down: compact ASCII JSON, instants as microseconds, proofs as pairs.

ASCII, because escapes carry what PostgreSQL's text refuses (NUL, lone surrogates) and a stranger may type. Members that
have their default are left out, so that an older process reads what a newer one wrote as long as the new fact is absent.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from idp.model import (
    Agreed,
    Ask,
    Capacity,
    Ending,
    Factor,
    Grant,
    Lost,
    Proof,
    Quiet,
    Recovering,
    Registering,
    Reminder,
    Role,
    Session,
    SignIn,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Looked up by value, without the Enum's own machinery: proofs are read on every request.
_FACTORS = {factor.value: factor for factor in Factor}

encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
decode = json.JSONDecoder().decode


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The aware UTC datetime of ``micros``."""
    return _EPOCH + timedelta(microseconds=microseconds)


def storable(text: str) -> bool:
    """Whether every database takes ``text``: what is not storable cannot be the name of anything stored."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def cleaned(text: str) -> str:
    """``text`` with what no database takes made visible."""
    return text if storable(text) else text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()


def _proofs_out(proofs: Iterable[Proof]) -> list[tuple[str, int]]:
    return [(proof.factor.value, micros(proof.at)) for proof in proofs]


def _proofs_in(pairs: Iterable[tuple[str, int]]) -> tuple[Proof, ...]:
    return tuple(Proof(_FACTORS[factor], instant(at)) for factor, at in pairs)


def _ask_out(ask: Ask) -> dict[str, Any]:
    members = {
        "client": ask.client_id,
        "parameters": ask.parameters,
        "scope": ask.scope,
        "acr": ask.acr,
        "essential": ask.acr_essential,
        "fresh": None if ask.fresh_since is None else micros(ask.fresh_since),
        "subject": ask.subject,
        "unconsented": not ask.consent_given,
        "hint": ask.login_hint,
        "locale": ask.locale,
        "onward": ask.onward,
        "user_code": ask.user_code,
    }
    return {name: value for name, value in members.items() if value not in ((), "", None) and value is not False}


def _ask_in(members: dict[str, Any]) -> Ask:
    fresh = members.get("fresh")
    return Ask(
        client_id=members.get("client"),
        parameters=tuple((name, value) for name, value in members.get("parameters", ())),
        scope=tuple(members.get("scope", ())),
        acr=tuple(members.get("acr", ())),
        acr_essential=members.get("essential", False),
        fresh_since=None if fresh is None else instant(fresh),
        subject=members.get("subject"),
        consent_given=not members.get("unconsented", False),
        login_hint=members.get("hint", ""),
        locale=members.get("locale"),
        onward=members.get("onward", ""),
        user_code=members.get("user_code", ""),
    )


def sign_in_document(sign_in: SignIn) -> str:
    """All of a sign-in but its id and version, which are the store's to compare."""
    return encode(
        {
            "browser": sign_in.browser,
            "started": micros(sign_in.started_at),
            "expires": micros(sign_in.expires_at),
            "ask": _ask_out(sign_in.ask),
            "account": sign_in.account_id,
            "proofs": _proofs_out(sign_in.proofs),
            "invitation": sign_in.invitation,
            "consented": sign_in.consented,
            "finished": sign_in.finished,
            **({"told": sign_in.told} if sign_in.told else {}),
            **({"recovering": _recovering_out(sign_in.recovering)} if sign_in.recovering else {}),
            **({"challenge": sign_in.challenge} if sign_in.challenge else {}),
            **({"remember": sign_in.remember} if sign_in.remember is not None else {}),
            **({"code_sent": True} if sign_in.code_sent else {}),
            **({"registering": _registering_out(sign_in.registering)} if sign_in.registering else {}),
            **({"capacity": sign_in.capacity} if sign_in.capacity else {}),
        }
    )


def sign_in_from(id_: str, version: int, document: str) -> SignIn:
    """The sign-in written by ``sign_in_document``."""
    members = decode(document)
    return SignIn(
        id=id_,
        browser=members["browser"],
        started_at=instant(members["started"]),
        expires_at=instant(members["expires"]),
        ask=_ask_in(members["ask"]),
        account_id=members["account"],
        proofs=_proofs_in(members["proofs"]),
        invitation=members["invitation"],
        consented=members["consented"],
        finished=members["finished"],
        recovering=_recovering_in(members["recovering"]) if "recovering" in members else None,
        told=members.get("told", ""),
        challenge=members.get("challenge", ""),
        remember=members.get("remember"),
        code_sent=members.get("code_sent", False),
        registering=Registering(*members["registering"]) if "registering" in members else None,
        capacity=members.get("capacity", ""),
        version=version,
    )


def _registering_out(registering: Registering) -> tuple[str, str, str, int]:
    return registering.subject, registering.channel, registering.to, registering.sent


def _recovering_out(recovering: Recovering) -> dict[str, Any]:
    return {
        "lost": recovering.lost.value,
        "subject": recovering.subject,
        "ways": recovering.ways,
        "question": recovering.question,
        "proofs": _proofs_out(recovering.proofs),
        "sent": recovering.sent,
    }


def _recovering_in(members: dict[str, Any]) -> Recovering:
    return Recovering(
        lost=Lost(members["lost"]),
        subject=members["subject"],
        ways=tuple(members["ways"]),
        question=members["question"],
        proofs=_proofs_in(members["proofs"]),
        sent=members["sent"],
    )


def session_document(session: Session) -> str:
    """All of a session but its id and the two moments that every request moves."""
    members = {
        "public": session.public_id,
        "account": session.account_id,
        "proofs": _proofs_out(session.proofs),
        "created": micros(session.created_at),
        "device": session.device,
    }
    more = {"agent": session.agent, "capacity": session.capacity}
    return encode(members | {name: value for name, value in more.items() if value})


def session_from(id_: str, document: str, last_seen_at: datetime, expires_at: datetime) -> Session:
    """The session written by ``session_document``."""
    members = decode(document)
    return Session(
        id=id_,
        public_id=members["public"],
        account_id=members["account"],
        proofs=_proofs_in(members["proofs"]),
        created_at=instant(members["created"]),
        last_seen_at=last_seen_at,
        expires_at=expires_at,
        device=members["device"],
        agent=members.get("agent", ""),
        capacity=members.get("capacity", ""),
    )


def grant_document(grant: Grant) -> str:
    """What of a grant no statement asks for: it is read and written whole, in one column."""
    members = {
        "scope": grant.scope,
        "resources": grant.resources,
        "proofs": _proofs_out(grant.proofs),
        "sid": grant.sid,
        "claims": grant.claims,
        "capacity": grant.capacity,
    }
    return encode({name: value for name, value in members.items() if value})


def grant_from(  # noqa: PLR0917 - the columns of one row, in their order
    id_: str,
    account_id: str,
    client_id: str,
    document: str,
    created_at: datetime,
    expires_at: datetime,
    session: str | None,
    revoked_at: datetime | None,
    jkt: str | None,
) -> Grant:
    """The grant written by ``grant_document`` and its columns."""
    members = decode(document)
    return Grant(
        id=id_,
        account_id=account_id,
        client_id=client_id,
        scope=tuple(members.get("scope", ())),
        resources=tuple(members.get("resources", ())),
        proofs=_proofs_in(members.get("proofs", ())),
        created_at=created_at,
        expires_at=expires_at,
        session=session,
        sid=members.get("sid"),
        claims=tuple(members.get("claims", ())),
        revoked_at=revoked_at,
        capacity=members.get("capacity", ""),
        jkt=jkt,
    )


def quiet_document(quiet: Quiet) -> str | None:
    """What was done about an unused account; None, which is most of them, where nothing was."""
    members: dict[str, Any] = {
        "reminders": [
            (one.ending.value, one.ahead // _MICROSECOND, one.letter, micros(one.asked_at), _micros(one.accepted_at))
            for one in quiet.reminders
        ],
        "suspended": _micros(quiet.suspended_at),
        "expired": _micros(quiet.expired_at),
        "goes": _micros(quiet.goes_at),
    }
    kept = {name: value for name, value in members.items() if value}
    return encode(kept) if kept else None


def quiet_from(document: str | None) -> Quiet:
    """What ``quiet_document`` wrote."""
    if document is None:
        return _NOTHING_DONE
    members = decode(document)
    return Quiet(
        tuple(
            Reminder(Ending(ending), ahead * _MICROSECOND, letter, instant(asked), _instant(accepted))
            for ending, ahead, letter, asked, accepted in members.get("reminders", ())
        ),
        _instant(members.get("suspended")),
        _instant(members.get("expired")),
        _instant(members.get("goes")),
    )


_NOTHING_DONE = Quiet()


def capacities_document(capacities: Iterable[Capacity]) -> str | None:
    """The capacities of an account; None, which is most of them, where it has none."""
    kept = [(one.id, one.role.value, one.organisation, one.reference.hex(), one.customer) for one in capacities]
    return encode(kept) if kept else None


def capacities_from(document: str | None) -> tuple[Capacity, ...]:
    """What ``capacities_document`` wrote."""
    if document is None:
        return ()
    return tuple(
        Capacity(id_, Role(role), organisation, bytes.fromhex(sealed), customer)
        for id_, role, organisation, sealed, customer in decode(document)
    )


def agreed_document(agreed: Iterable[Agreed]) -> str | None:
    """What a person answered last to each text; None where nothing was asked."""
    kept = [(one.to, one.version, one.given) for one in agreed]
    return encode(kept) if kept else None


def agreed_from(document: str | None) -> tuple[Agreed, ...]:
    """What ``agreed_document`` wrote."""
    return () if document is None else tuple(Agreed(*one) for one in decode(document))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else instant(microseconds)
