"""People who come back to a device: a browser closed and opened again, and the cookies that it has kept."""

from http.cookiejar import Cookie

from idp.flows import assist
from tests import alarms
from tests.harness import House
from tests.people import Page, Person

ANOTHER = "nine quiet herons over the mill"


def carried(person: Person, what: str) -> Cookie | None:
    """One of the house's cookies as the browser holds it."""
    return next((one for one in person.client.cookies.jar if one.name == f"idp_{what}"), None)


def value(person: Person, what: str) -> str:
    """The value of a cookie, which the browser holds."""
    held = carried(person, what)
    assert held is not None, what
    assert held.value is not None
    return held.value


def put(person: Person, what: str, cookie: str) -> None:
    """A cookie as whoever has hold of the browser may set it."""
    drop(person, what)
    person.client.cookies.set(f"idp_{what}", cookie, domain="localhost.local", path="/")


def drop(person: Person, what: str) -> None:
    """A browser that refuses a cookie, or whose owner took it out."""
    held = carried(person, what)
    if held is not None:
        person.client.cookies.jar.clear(held.domain, held.path, held.name)


def close_browser(person: Person) -> Person:
    """The browser is closed: only what was given for a time outlives it."""
    for one in list(person.client.cookies.jar):
        if one.discard:
            person.client.cookies.jar.clear(one.domain, one.path, one.name)
    assert not person.signed_in()
    return person


def back(person: Person) -> Page:
    """The sign-in page, after the browser was closed."""
    return close_browser(person).open("/sign-in")


def sign_in(person: Person, *, tick: bool = False, page: Page | None = None) -> Page:
    """Sign in from the sign-in page, with the box ticked or not; the person is signed in then."""
    form = page or person.open("/sign-in")
    box = "yes" if tick else None
    end = person.walk(person.fill(form, username=person.username, password=person.password, remember=box))
    assert person.signed_in(), end.text
    return end


def _password_elsewhere(house: House, person: Person) -> None:
    alarms.reset(house, person.username, ANOTHER)


def _alarm(house: House, person: Person) -> None:
    code = alarms.reset(house, person.username, ANOTHER)
    frozen = person.elsewhere()
    page = frozen.open(f"/not-me?code={code}")
    frozen.fill(page)
    assert house.audit("account.frozen", person.account), page.text


def _block(house: House, person: Person) -> None:
    assert assist.change_state(house.world, person.username, assist.Act.BLOCK, "test")


def _close(house: House, person: Person) -> None:
    assert assist.change_state(house.world, person.username, assist.Act.CLOSE, "test")


def _time(house: House, person: Person) -> None:
    assert person.account
    house.leave(days=180, seconds=1)


# After each of these nobody is recalled at a device.
ENDS = {"password elsewhere": _password_elsewhere, "alarm": _alarm, "blocked": _block, "closed": _close, "180 days": _time}
