"""What may be a mobile number, of any operator in the world: its one written form, and whether the gateway reaches it."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

# Digits as people group them; no letters, so no extension and no vanity number.
_TYPED: Final = re.compile(r"\+?[0-9(][0-9 ().\-/\u2010\u2013]{3,31}", re.ASCII)

# ITU-T E.164: at most 15 digits; the prefix for calls abroad comes before them.
_FEWEST: Final = 4
_MOST: Final = 18

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
        # What is valid nowhere has no type.
        if plans.number_type(number) not in mobile:
            return None
        return plans.format_number(number, plans.PhoneNumberFormat.E164)

    def key(self, typed: str) -> str:
        """Any telephone number, landline too, as it is compared: in international form, without the marks that group it.

        Whether such a number exists is not asked: it is held against one that the operator gave. "" for what is no number.
        """
        shown = typed if typed.isascii() else unicodedata.normalize("NFKC", typed)
        digits = "".join(filter(str.isdigit, shown.replace("(0)", "")))
        if not digits.isascii() or not _FEWEST <= len(digits) <= _MOST or not _TYPED.fullmatch(shown.strip()):
            return ""
        if shown.lstrip().startswith("+"):
            return f"+{digits}"
        country, trunk, abroad = _dialling(self.region)
        if digits.startswith(abroad):
            return f"+{digits.removeprefix(abroad)}"
        return f"+{country}{digits.removeprefix(trunk)}"

    def reachable(self, number: str) -> bool | None:
        """Whether the gateway reaches the number; None where it cannot say, which is no reason to refuse it."""
        return self.reach(number)


@cache
def _dialling(region: str) -> tuple[str, str, str]:
    """The country code of a region, what stands before a national number, and what before an international one."""
    import phonenumbers as plans  # noqa: PLC0415 - as above

    plan = plans.PhoneMetadata.metadata_for_region(region)
    if plan is None:
        return "", "", "00"
    abroad = plan.international_prefix or "00"
    return str(plan.country_code), plan.national_prefix or "", abroad if abroad.isdigit() else "00"
