"""What a person lets a client do, from the code that opens a grant to the moment it ends, and the tokens it gives."""

from idp.flows.grant.ending import end_session, revoke, turned_away
from idp.flows.grant.facts import Asked, Issued, Presented, Wish
from idp.flows.grant.issue import act, redeem, rotate
from idp.flows.grant.opening import consented, open_grant
from idp.flows.grant.worth import Worth, introspect, userinfo, weigh

__all__ = [
    "Asked",
    "Issued",
    "Presented",
    "Wish",
    "Worth",
    "act",
    "consented",
    "end_session",
    "introspect",
    "open_grant",
    "redeem",
    "revoke",
    "rotate",
    "turned_away",
    "userinfo",
    "weigh",
]
