"""People under any profile: with a phone where a second factor is asked, and having agreed to what is asked of everybody."""

from dataclasses import dataclass
from typing import Any

from idp.model import Agreed, Credential, Factor
from idp.vault import apps
from tests.harness import House
from tests.people import Page, Person
from tests.profiles import laws
from tests.second_factor.phones import Phone, codes_on, scanned

# Sound under every profile: long, and with letters and digits.
FIRST, SECOND = "correct horse battery staple 42", "quiet river under stone 94"


@dataclass
class Member(Person):
    """A person who also answers the second factor, by an app on a phone."""

    password: str = FIRST
    new_password: str = SECOND
    phone: Phone | None = None

    def given(self, page: Page) -> dict[str, str] | None:
        if page.step == "EnrolSecondFactor":
            self.phone = scanned(page)
            return {"code": self.phone.code(self.house)}
        if page.step == "AskSecondFactor" and self.phone is not None:
            # No code works twice.
            return {"code": self.phone.next_code(self.house)}
        return super().given(page)

    def fill(self, page: Page, **fields: Any) -> Page:
        """Send a page's form and follow, past the page that shows recovery codes once."""
        shown = super().fill(page, **fields)
        if page.step != "EnrolSecondFactor" or not codes_on(shown):
            return shown
        return self.open(next(link for link in shown.links if link.startswith("/sign-in/")))

    def answered(self, page: Page) -> Page:
        """Answer one page rightly: where that leads."""
        fields = self.given(page)
        assert fields is not None, f"nobody can answer {page.step}: {page.text}"
        after = self.fill(page, **fields)
        assert after.status == 200 or after.left, f"{page.step}: {after.status} {after.text}"
        self.learn(page.step, fields)
        return after

    def steps_of(self, page: Page) -> tuple[list[str], Page]:
        """Answer page after page: the steps that were asked, and where they led."""
        seen = []
        while page.left is None and page.step is not None:
            seen.append(page.step)
            page = self.answered(page)
        return seen, page


def invited(house: House, **changes: Any) -> tuple[Member, str]:
    """Someone invited, and the code of the letter."""
    person, code = house.invited(**changes)
    person.close()
    return Member(house, username=person.username), code


def member(house: House, *, without: tuple[Factor, ...] = (), **changes: Any) -> Member:
    """Someone who has been through the first sign-in: every secret that the policy asks, and everything agreed to.

    ``with_answer`` gives a question also where it is of one's own free will.
    """
    law, now = house.world.policy, house.clock()
    held = set(laws.secrets(law)) | ({Factor.ANSWER} if changes.pop("with_answer", False) else set())
    facts: dict[str, Any] = {
        "secrets": tuple(factor for factor in Factor if factor in held - set(without)),
        "password": FIRST,
        "agreed": agreed(house),
        **changes,
    }
    person = house.customer(**facts)
    person.close()
    someone = Member(house, username=person.username)
    if law.second_factor.required and Factor.TOTP not in without:
        key, sealed = apps.new_key(house.vault)
        with house.world.store.begin() as tx:
            tx.accounts.set_credential(someone.account.id, Credential(Factor.TOTP, sealed, now))
        someone.phone = Phone(key)
    return someone


def agreed(house: House) -> tuple[Agreed, ...]:
    """Everything that the policy asks, answered in the version in force."""
    rules = house.world.policy.consent
    terms = (Agreed("terms", rules.terms_version, given=True),) if rules.terms != "off" else ()
    return (*terms, *(Agreed(name, version, given=False) for name, version in rules.purposes.items()))
