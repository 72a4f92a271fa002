"""People's phones: an authenticator app that is fed by what a page shows, and who has one."""

import re
from dataclasses import dataclass, field
from datetime import timedelta

import pyotp

from tests.harness import House
from tests.people import Page, Person

STEP = 30


@dataclass
class Phone:
    """An authenticator app with one key."""

    key: str = field(repr=False)

    def code(self, house: House) -> str:
        """What the app shows now."""
        return pyotp.TOTP(self.key).at(house.clock())

    def next_code(self, house: House) -> str:
        """What the app shows once the present code is over."""
        house.clock.move(seconds=STEP)
        return self.code(house)

    def wrong_code(self, house: House) -> str:
        """Digits that the app shows neither now nor before or after."""
        now = house.clock()
        near = {pyotp.TOTP(self.key).at(now + timedelta(seconds=STEP * steps)) for steps in (-2, -1, 0, 1, 2)}
        return next(code for code in (f"{number:06d}" for number in range(100)) if code not in near)


def scanned(page: Page) -> Phone:
    """The app after it has scanned the page's picture."""
    found = re.search(r'<code class="key">([A-Z2-7 ]+)</code>', page.response.text)
    assert found, page.text
    return Phone(found[1].replace(" ", ""))


def codes_on(page: Page) -> list[str]:
    """The recovery codes that a page shows."""
    return re.findall(r"<li><code>([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})</code></li>", page.response.text)


def enrol(person: Person, page: Page) -> tuple[Phone, list[str], Page]:
    """Set up the app at the page that demands it: the phone, the recovery codes, and the page after them."""
    assert page.step == "EnrolSecondFactor", (page.status, page.heading)
    phone = scanned(page)
    shown = person.fill(page, code=phone.code(person.house))
    codes = codes_on(shown)
    assert codes, shown.text
    onward = next(link for link in shown.links if link.startswith("/sign-in/"))
    return phone, codes, person.open(onward)
