"""The one person who signs in where something is measured."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from idp.app.composition import make_world, put_in_force
from idp.model import Account, AccountState, Credential, Factor
from idp.settings import load
from idp.vault import Vault

WHO = ("bench", "correct horse battery staple", "190476")


def seed(folder: Path, environ: Mapping[str, str], vault_of: Callable[..., Vault]) -> None:
    """One enrolled person in a fresh database."""
    settings = load(folder / "config", environ)
    world = make_world(settings)
    vault = vault_of(settings)
    world.store.upgrade()
    world = put_in_force(world)
    now = datetime.now(UTC)
    secrets = {Factor.PASSWORD: WHO[1], Factor.PIN: WHO[2], Factor.ANSWER: "greenfield"}
    someone = account("acc_bench", WHO[0], now)
    with world.store.begin() as tx:
        tx.accounts.add(someone, WHO[0])
        for factor, secret in secrets.items():
            question = "first_school" if factor is Factor.ANSWER else None
            tx.accounts.set_credential(someone.id, Credential(factor, vault.hash(secret), now, question=question))
    world.store.close()


def account(account_id: str, name: str, now: datetime) -> Account:
    """Somebody enrolled."""
    return Account(
        account_id,
        name,
        f"{name}@example.com",
        "Ben",
        "Chmark",
        AccountState.ACTIVE,
        now,
        enrolled_at=now,
        entitlements=frozenset({"billing", "service"}),
    )
