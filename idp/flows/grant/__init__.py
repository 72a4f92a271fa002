"""What a person lets a client do, from the code that opens a grant to the moment it ends, and the tokens it gives."""

from idp.flows.grant.device import DeviceAsked, DeviceCodes, ask_for_device, begin_device, decide, redeem_device, waiting_for
from idp.flows.grant.ending import end_session, revoke, turned_away
from idp.flows.grant.exchange import exchange_token
from idp.flows.grant.facts import Asked, Issued, Presented, Wish
from idp.flows.grant.issue import act, redeem, rotate
from idp.flows.grant.opening import consented, open_grant
from idp.flows.grant.pushing import PUSHED, Pushed, push, pushed, spend
from idp.flows.grant.worth import Worth, introspect, userinfo, weigh

__all__ = [
    "PUSHED",
    "Asked",
    "DeviceAsked",
    "DeviceCodes",
    "Issued",
    "Presented",
    "Pushed",
    "Wish",
    "Worth",
    "act",
    "ask_for_device",
    "begin_device",
    "consented",
    "decide",
    "end_session",
    "exchange_token",
    "introspect",
    "open_grant",
    "push",
    "pushed",
    "redeem",
    "redeem_device",
    "revoke",
    "rotate",
    "spend",
    "turned_away",
    "userinfo",
    "waiting_for",
    "weigh",
]
