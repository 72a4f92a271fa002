"""Letters: how they are worded, and how they leave the house by mail or by text message; and the customer records asked for.

The room keeps no queue: the outbox is the store's, and ``flows.deliver`` carries letters from there to here.
"""

from idp.post.customer_gateway import CustomerGateway
from idp.post.failures import Permanent, RecordsDown, Temporary
from idp.post.letters import Letters, Rendered
from idp.post.mail import Letterhead
from idp.post.numbers import Numbers
from idp.post.outbound import Answer, Crowded, Outbound, Unreachable
from idp.post.sms import SmsGateway
from idp.post.smtp import Smtp

__all__ = [
    "Answer",
    "Crowded",
    "CustomerGateway",
    "Letterhead",
    "Letters",
    "Numbers",
    "Outbound",
    "Permanent",
    "RecordsDown",
    "Rendered",
    "SmsGateway",
    "Smtp",
    "Temporary",
    "Unreachable",
]
