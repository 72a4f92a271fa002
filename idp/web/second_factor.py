"""What pages of the second factor show beside their forms: a key as picture, link and text, and what a browser is asked."""

import json
from typing import Any
from urllib.parse import quote, urlencode

from flask import request
from markupsafe import Markup

from idp.flows import second_factor
from idp.flows.facts import Looked
from idp.policies.steps import AskSecondFactor, AskUsernameAndPassword, EnrolSecondFactor
from idp.web.house import House

_GROUP = 4


def shown(house: House, looked: Looked) -> dict[str, Any]:
    """What a page of the sign-in needs for its second factor or passkey; nothing at any other step."""
    match looked.step:
        case AskUsernameAndPassword():
            return _passkey(house, looked)
        case AskSecondFactor(ways):
            way = _way(ways)
            here = f"/sign-in/{quote(looked.visit.transaction)}?{urlencode({'way': way})}"
            return {"way": way, "here": here, **_passkey(house, looked)}
        case EnrolSecondFactor():
            key, account = second_factor.key(house.world, looked), looked.account
            app = app_of(house, account.username, key) if key is not None and account is not None else {}
            return {**app, **_passkey(house, looked)}
        case _:
            return {}


def app_of(house: House, username: str, key: str) -> dict[str, Any]:
    """A key as an authenticator app takes it: a picture to be scanned, a link on the same phone, and groups for typing."""
    brand = house.brand.name
    values = urlencode({"secret": key, "issuer": brand}, quote_via=quote)
    link = f"otpauth://totp/{quote(brand)}:{quote(username)}?{values}"
    # Dark on light in both schemes, with the margin that scanners need.
    # The library is loaded where a code is drawn.
    import segno  # noqa: PLC0415

    drawn = segno.make(link, error="m", micro=False).svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
    groups = [key[start : start + _GROUP] for start in range(0, len(key), _GROUP)]
    return {"qr": Markup(drawn), "app_href": link, "key": " ".join(groups)}  # noqa: S704 - drawn by segno


def _passkey(house: House, looked: Looked) -> dict[str, Any]:
    options = second_factor.options(house.world, looked, house.brand.name)
    return {"passkey": json.dumps(options)} if options is not None else {}


def _way(ways: tuple[str, ...]) -> str:
    """The way that the page asks for: the one chosen, else the first the person has."""
    chosen = request.form.get("way") or request.args.get("way", "")
    return chosen if chosen in ways else ways[0]
