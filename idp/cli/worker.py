"""``idp worker``: carries letters and signals out and does what time has brought about, until SIGTERM. Any number may run."""

import threading
import time
from collections.abc import Generator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import click
import structlog

from idp.app import logs
from idp.app.composition import make_world, put_in_force
from idp.cli import rounds, signalling
from idp.flows.deliver import Carrier, Fate, PostOffice, deliver
from idp.flows.world import World
from idp.language import Words
from idp.post import Letterhead, Letters, SmsGateway, Smtp
from idp.settings import Settings, from_environment
from idp.store import StoreDown

IDLE_SECONDS: Final = 1.0
TROUBLE_SECONDS: Final = 5.0


@click.command()
@click.option("--once", is_flag=True, help="Deliver what is due, do a whole round of upkeep, and stop.")
def worker(once: bool) -> None:
    """Deliver letters and signals, and do what time has brought about, until SIGTERM."""
    settings = from_environment()
    logs.configure(settings.log.level, settings.log.format)
    world = make_world(settings)
    office = post_office(settings)
    log = structlog.get_logger()
    log.info("worker begins", mail=f"{settings.mail.host}:{settings.mail.port}", sms=settings.sms.url is not None)
    try:
        with rounds.stop_on_signals() as stop:
            if once:
                _work_once(world, office, stop)
            else:
                with signalling.carrying(world, stop):
                    _work(world, office, settings.upkeep.every, stop)
    finally:
        office.close()
        world.store.close()
    log.info("worker ends")


def post_office(settings: Settings) -> PostOffice:
    """The wording and the carriers that settings name."""
    sms = settings.sms
    carriers: dict[str, Carrier] = {"mail": smtp(settings)}
    if sms.url is not None:
        carriers["sms"] = SmsGateway(sms.url, sms.sender, sms.token)
    return PostOffice(Letters(Words(languages=settings.languages)), settings.brand, carriers)


def smtp(settings: Settings, timeout: float = 20.0) -> Smtp:
    """The mail server that settings name."""
    mail = settings.mail
    return Smtp(
        host=mail.host,
        port=mail.port,
        letterhead=Letterhead(mail.sender, settings.brand.name, mail.reply_to),
        security=mail.security,
        username=mail.username,
        password=mail.password,
        timeout=timeout,
        trust=None if mail.ca_file is None else Path(mail.ca_file),
    )


def _work_once(world: World, office: PostOffice, stop: threading.Event) -> None:
    """The letters and signals that wait, everything else one time, and what it wrote."""
    _empty(world, office, stop)
    for _ in _pieces(rounds.once(put_in_force(world)), stop):
        _deliver(world, office, stop)
    _empty(world, office, stop)
    signalling.empty(world, stop)


def _empty(world: World, office: PostOffice, stop: threading.Event) -> None:
    while not stop.is_set() and _deliver(world, office, stop):
        pass


def _work(world: World, office: PostOffice, every: timedelta, stop: threading.Event) -> None:
    """Letters and everything else by turns, a little of each, so that no letter waits; a store that is down is waited for."""
    lawful, chores = None, None
    while not stop.is_set():
        try:
            # Once and no more: a worker that was left running does not bring a former policy back.
            lawful = lawful or put_in_force(world)
            chores = chores or _pieces(rounds.chores(lawful, every), stop)
            busy = _deliver(world, office, stop)
            done = next(chores, None)
            if done is None:
                # The store failed it before; what it left is taken up.
                chores = None
            elif not done and not busy:
                # An open connection would idle into the mail server's timeout.
                office.close()
                stop.wait(IDLE_SECONDS)
        except StoreDown as down:
            structlog.get_logger().warning("store down", reason=str(down))
            stop.wait(TROUBLE_SECONDS)
    # A turn that cannot be given back falls to the next worker by itself.
    with suppress(StoreDown):
        if chores is not None:
            chores.close()


def _pieces(work: Generator[bool], stop: threading.Event) -> Generator[bool]:
    """Piece after piece with a rest behind each, until a signal comes."""
    with closing(work):
        while not stop.is_set():
            began = time.monotonic()
            done = next(work, None)
            if done is None:
                return
            if done:
                rounds.rest(time.monotonic() - began, stop)
            yield done


def _deliver(world: World, office: PostOffice, stop: threading.Event) -> int:
    """Deliver one batch, telling of each letter; returns how many were taken up. A signal ends it after a letter."""
    log = structlog.get_logger()
    count = 0
    for told in deliver(world, office):
        count += 1
        say = log.info if told.fate in (Fate.SENT, Fate.WITHDRAWN) else log.warning
        say(
            "letter",
            letter=told.id,
            template=told.template,
            channel=told.channel,
            fate=told.fate.value,
            attempts=told.attempts,
            **({"error": told.error} if told.error else {}),
        )
        if stop.is_set():
            break
    return count
