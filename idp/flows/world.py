"""The World that every use case is given: the machines, the law, and a clock that it reads once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from idp.flows import announcing
from idp.model import Account, AuditEntry, Client, Customer, Letter, Registrar, Resource, Source, Text
from idp.policies.policy import Policy
from idp.policies.signals import Happened
from idp.post import Numbers, Outbound
from idp.store import Store, Transaction
from idp.vault import Vault

# Letters about what a person did, as often as they do it.
_NEWS: Final = frozenset({"changed", "locked", "cancelled", "kept", "service_cancelled", "exported"})
_NEWS_A_DAY: Final = 10


@dataclass(frozen=True, slots=True)
class World:
    """What a use case may touch. ``resources`` is keyed by identifier (RFC 8707), ``clients`` by client_id."""

    store: Store
    vault: Vault
    policy: Policy
    clients: Mapping[str, Client]
    resources: Mapping[str, Resource]
    issuer: str
    clock: Callable[[], datetime]
    languages: tuple[str, ...] = ("en", "it")
    # The ways letters can take: "sms" where there is a gateway.
    channels: frozenset[str] = frozenset({"mail"})
    # What may be a mobile number, and whether it can be reached.
    numbers: Numbers = field(default_factory=Numbers)
    # What people agree to, by name and version.
    texts: Mapping[tuple[str, str], Text] = field(default_factory=dict)
    # Where customer records are asked for, by the kind of reference and its key; None: in the store.
    records: Callable[[str, str], Customer | None] | None = None
    # How addresses that clients gave are reached: public ones alone, unless settings say more.
    outbound: Outbound = field(default_factory=Outbound)
    # Who may register clients over the protocol; without a token, nobody.
    registrar: Registrar = field(default_factory=Registrar)

    def subject(self, client: Client, account_id: str) -> str:
        """The account's name at a client (OpenID Connect Core 8): its own, or one that nobody in another sector knows.

        Both begin alike, as no client's id does.
        """
        return f"acc_{self.vault.keyed(f'subject {client.sector}', account_id)}" if client.sector else account_id

    def alias(self, client: Client, shared: str) -> str:
        """The same for what several clients are told, a session or an occurrence: it must not join their names for a person."""
        return self.vault.keyed(f"alias {client.sector}", shared) if client.sector else shared

    def record(
        self,
        tx: Transaction,
        now: datetime,
        event: str,
        outcome: str,
        *,
        account: Account | str | None = None,
        actor: str = "person",
        source: Source | None = None,
        **facts: Any,
    ) -> None:
        """Write what happened, the facts it was decided on and the policy that decided, in the caller's transaction.

        Relying parties whom it concerns will be told: what they are told is derived from this alone.
        """
        known = {name: value for name, value in facts.items() if value is not None}
        if source is not None:
            known |= {"bucket": source.bucket, "agent": source.agent}
        account_id = account.id if isinstance(account, Account) else account
        tx.audit.write(AuditEntry(now, actor, event, outcome, account_id, known, self.policy.digest))
        announcing.announce(self, tx, Happened(event, outcome, actor, now, known), account_id)

    def send(
        self,
        tx: Transaction,
        now: datetime,
        template: str,
        account: Account,
        context: Mapping[str, Any],
        *,
        lifetime: timedelta | None = None,
        to: str | None = None,
        channel: str = "mail",
    ) -> str:
        """Put a letter to the account's stored address into the outbox, sealed, in the caller's transaction; returns its id.

        Whoever gave no address is written to nowhere.
        """
        not_after = None if lifetime is None else now + lifetime
        address, locale = to or account.email, account.locale
        letter = Letter(
            self.vault.token(16), channel, address, template, locale, context, now, not_after, account_id=account.id
        )
        # Nobody at all has no username either: of a letter to nobody the outbox keeps nothing, and is asked all the same.
        if (address or not account.username) and (to or self._may_tell(tx, now, template, account)):
            tx.outbox.put(letter, self.vault.seal_json({"zone": account.zone, **context}))
        return letter.id

    def _may_tell(self, tx: Transaction, now: datetime, template: str, account: Account) -> bool:
        """Whether one more piece of news may go to the stored address.

        Where anybody may register with an address and confirms it to nobody, it may be a stranger's, and the news whatever
        the person causes: a few a day.
        """
        rules = self.policy.registration
        if template not in _NEWS or account.email_confirmed_at is not None or not rules.open or rules.confirm_by:
            return True
        if len(tx.issuances.since(account.id, "news", now - timedelta(days=1))) >= _NEWS_A_DAY:
            return False
        tx.issuances.add(account.id, "news", now)
        return True

    def tell(
        self,
        tx: Transaction,
        now: datetime,
        template: str,
        account: Account,
        context: Mapping[str, Any],
        *,
        lifetime: timedelta | None = None,
    ) -> None:
        """Tell every address on file: by letter, and by text message where there is a number and a gateway."""
        self.send(tx, now, template, account, context, lifetime=lifetime)
        if account.mobile and "sms" in self.channels:
            self.send(tx, now, template, account, context, lifetime=lifetime, to=account.mobile, channel="sms")
