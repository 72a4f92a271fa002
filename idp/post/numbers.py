"""What may be a mobile number, of any operator in the world: its one written form, and whether the gateway reaches it."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Digits as people group them; no letters, so no extension and no vanity number.
_TYPED: Final = re.compile(r"\+?[0-9(][0-9 ().\-/\u2010\u2013]{3,31}", re.ASCII)

# Whether a number can be reached: yes, no, or None where nobody can say.
Reach = Callable[[str], bool | None]


def _nobody_can_say(_: str) -> bool | None:
    return None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Mobile numbers as typed by people of one ``region`` (ISO 3166, two letters); ``reach`` asks the operator's gateway."""

    region: str = "GB"
    reach: Reach = _nobody_can_say

    def canonical(self, typed: str) -> str | None:
        """The number in E.164; None for what is not a number that can be given to a mobile.

        Without a country code it is one of the region. Validity is that of the numbering plans, not of one operator.
        """
        shown = "".join(mark for mark in unicodedata.normalize("NFKC", typed[:64]) if unicodedata.category(mark) != "Cf")
        if not _TYPED.fullmatch(shown.strip()):
            return None
        # The numbering plans of the world are read where a number is typed, not at every start.
        import phonenumbers as plans  # noqa: PLC0415

        try:
            number = plans.parse(shown, self.region)
        except plans.NumberParseException:
            return None
        mobile = (plans.PhoneNumberType.MOBILE, plans.PhoneNumberType.FIXED_LINE_OR_MOBILE)
        if not plans.is_valid_number(number) or plans.number_type(number) not in mobile:
            return None
        return plans.format_number(number, plans.PhoneNumberFormat.E164)

    def reachable(self, number: str) -> bool | None:
        """Whether the gateway reaches the number; None where it cannot say, which is no reason to refuse it."""
        return self.reach(number)
