"""What previews of letters are filled with: for each letter, the cases that its words tell apart."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from idp.model import Changed

_CODE = "7K3M-P9QX-W2RT-5VHN-8JDE-4GYB-6ZCA-1SFM"

Samples = Mapping[str, Mapping[str, Mapping[str, Any]]]


def samples(issuer: str, now: datetime) -> Samples:
    """Contexts by letter and case; a letter that has one wording has one case, named ""."""
    soon, later = ((now + time).isoformat() for time in (timedelta(minutes=10), timedelta(days=3)))
    person = {"name": "Maria", "username": "maria.rossi"}
    sign_in, alarm = f"{issuer}/sign-in", f"{issuer}/not-me?code={_CODE}"
    temporary = {**person, "password": "lusab-babad-gutih-tugad-mudor", "expires": soon, "link": sign_in}
    pin = {"name": "Maria", "pin": "482915"}
    code = {"name": "Maria", "code": "493027", "expires": soon}
    told = {"name": "Maria", "at": now.isoformat(), "link": f"{issuer}/profile"}
    quiet = {**person, "last_used": (now - timedelta(days=90)).isoformat(), "link": sign_in}
    return {
        "username_reminder": {"": {**person, "link": sign_in}},
        "temporary_password": {"": {**temporary, "username": None}, "with_username": temporary},
        "new_pin": {
            "to_change": {**pin, "must_change": True, "expires": later},
            "to_keep": {**pin, "must_change": False, "expires": None},
        },
        "recovery_code": {"": code},
        "confirm_address": {"": code},
        "changed": {
            what.value: {"name": "Maria", "changed": what.value, "at": now.isoformat(), "link": alarm, "expires": later}
            for what in Changed
        },
        "frozen": {"": {"name": "Maria", "at": now.isoformat(), "link": sign_in}},
        "suspension_reminder": {"": {**quiet, "ends": later}, "open": {**quiet, "ends": None}},
        "expiry_reminder": {"": {**quiet, "ends": later}, "open": {**quiet, "ends": None}},
        "reactivation_code": {"": code},
        "extra_code": {"": code},
        "exported": {"": told},
        "reactivated": {by: {**told, "by": by} for by in ("person", "staff")},
        "locked": {
            **{factor: {"name": "Maria", "factor": factor, "until": soon} for factor in ("password", "pin", "answer")},
            "for_good": {"name": "Maria", "factor": "password", "until": None},
        },
        "token_reuse": {"": {"name": "Maria", "client": "Norda Portal"}},
        **_of_coming_and_going(issuer, now),
    }


def _of_coming_and_going(issuer: str, now: datetime) -> Samples:
    """Letters about coming in and cancelling."""
    later, goes = ((now + timedelta(days=days)).isoformat() for days in (3, 14))
    person, sign_in = {"name": "Maria", "username": "maria.rossi"}, f"{issuer}/sign-in"
    told = {"name": "Maria", "at": now.isoformat(), "link": f"{issuer}/profile"}
    return {
        "invitation": {"": {**person, "link": f"{issuer}/invitation?code={_CODE}", "code": _CODE, "expires": later}},
        "enrolled": {"": person},
        "registration_code": {"": {"code": "493027", "expires": later, "link": f"{issuer}/register/confirm"}},
        "already_registered": {
            "email": {**person, "taken": "email", "link": sign_in, "recover": f"{issuer}/recover"},
            "customer": {**person, "taken": "customer", "link": sign_in, "recover": None},
            "closed": {**person, "taken": "email", "link": None, "recover": None},
        },
        "cancelled": {"": {**person, "at": now.isoformat(), "goes": goes, "link": sign_in}},
        "kept": {by: {**told, "by": by} for by in ("person", "staff")},
        "service_cancelled": {service: {**told, "service": service} for service in ("billing", "service")},
    }
