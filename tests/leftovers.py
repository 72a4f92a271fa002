"""Everything that a house has stored, to be searched for what must not be there."""

from collections.abc import Iterable, Iterator
from typing import Any

import redis
from sqlalchemy import MetaData, select

from idp.flows import erasing
from tests.harness import House
from tests.people import Person


def purge(house: House, person: Person, why: str = "expired") -> str:
    """Erase an account, as upkeep does; its subject identifier."""
    world, known = house.world, person.account
    with world.store.begin() as tx:
        account = tx.accounts.locked(known.id)
        assert account is not None
        erasing.erase(world, tx, account, now=house.clock(), why=why)
    world.store.sessions.end_all(known.id)
    return known.id


def places(house: House, markers: Iterable[str]) -> set[str]:
    """The tables, and kinds of keys in Redis, that hold one of the markers anywhere."""
    sought = [marker.casefold() for marker in markers]
    return {place for place, value in everything(house) if any(marker in value.casefold() for marker in sought)}


def everything(house: House) -> Iterator[tuple[str, str]]:
    """Every value of every row of every table, and every key and value in Redis, as text, with the name of its place."""
    with house.world.store.engine.connect() as connection:
        for name, table in _schema(house).tables.items():
            for row in connection.execute(select(table)):
                yield from ((name, _text(value)) for value in row)
    if "IDP_REDIS_URL" in house.secrets:
        with redis.Redis.from_url(house.secrets["IDP_REDIS_URL"]) as client:
            for key in client.scan_iter():
                yield from ((f"redis {_text(key).split(':')[1]}", value) for value in (_text(key), *_values(client, key)))


_schemas: dict[str, MetaData] = {}


def _schema(house: House) -> MetaData:
    """The tables as they are in the database, whatever the code says of them: looked for once, each house has the same."""
    store = house.world.store
    if store.dialect not in _schemas:
        found = MetaData()
        found.reflect(store.engine)
        _schemas[store.dialect] = found
    return _schemas[store.dialect]


def lifetimes(house: House, pattern: str) -> list[int]:
    """After how many seconds each of Redis' keys ends, -1 for one that never does; none where there is no Redis."""
    if "IDP_REDIS_URL" not in house.secrets:
        return []
    with redis.Redis.from_url(house.secrets["IDP_REDIS_URL"]) as client:
        return [client.ttl(key) for key in client.scan_iter(pattern)]


def _values(client: Any, key: bytes) -> Iterator[str]:
    kind = client.type(key)
    if kind == b"hash":
        yield from (_text(one) for pair in client.hgetall(key).items() for one in pair)
    elif kind == b"zset":
        yield from (_text(one) for one in client.zrange(key, 0, -1))
    else:
        assert kind == b"string", kind
        yield _text(client.get(key))


def _text(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
