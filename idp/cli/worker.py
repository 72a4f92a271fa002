"""``idp worker``: carries letters out of the house until SIGTERM. Any number of them may run at once."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Final

import click
import structlog

from idp.app import logs
from idp.app.composition import make_world
from idp.flows.deliver import Carrier, Fate, PostOffice, deliver, expire
from idp.flows.world import World
from idp.language import Words
from idp.post import Letterhead, Letters, SmsGateway, Smtp
from idp.settings import Settings, from_environment
from idp.store import StoreDown

IDLE_SECONDS: Final = 1.0
TROUBLE_SECONDS: Final = 5.0
# Rounds between two sweeps for letters whose time has passed: a few minutes where there is nothing to do.
SWEEP_EVERY: Final = 300


@click.command()
@click.option("--once", is_flag=True, help="Deliver what is due and stop.")
def worker(once: bool) -> None:
    """Deliver letters from the outbox until SIGTERM."""
    settings = from_environment()
    logs.configure(settings.log.level, settings.log.format)
    world = make_world(settings)
    office = post_office(settings)
    stop = _stop_on_signals()
    log = structlog.get_logger()
    log.info("worker begins", mail=f"{settings.mail.host}:{settings.mail.port}", sms=settings.sms.url is not None)
    try:
        if once:
            while not stop.is_set() and _round(world, office, stop):
                pass
        else:
            _work(world, office, stop)
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


def _work(world: World, office: PostOffice, stop: threading.Event) -> None:
    """Round after round; a store that is down is waited for."""
    rounds = 0
    while not stop.is_set():
        try:
            if rounds % SWEEP_EVERY == 0:
                expire(world)
            rounds += 1
            if not _round(world, office, stop):
                # An open connection would idle into the mail server's timeout.
                office.close()
                stop.wait(IDLE_SECONDS)
        except StoreDown as down:
            structlog.get_logger().warning("store down", reason=str(down))
            stop.wait(TROUBLE_SECONDS)


def _round(world: World, office: PostOffice, stop: threading.Event) -> int:
    """Deliver one batch, telling of each letter; returns how many were taken up. A signal ends it after a letter."""
    log = structlog.get_logger()
    count = 0
    for told in deliver(world, office):
        count += 1
        say = log.info if told.fate is Fate.SENT else log.warning
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


def _stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set: the letter under way is finished, the others are given back."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop
