"""Whether what a policy says of registration, consents and names at the sign-in page can be lived by."""

from collections.abc import Iterator

from idp.policies.finding import RATE, Finding, key_list, quoted, written
from idp.policies.policy import Policy
from idp.policies.registration import REFERENCES

_NEEDS = {"email": "email", "sms": "number"}
# What the operator's records say nothing of.
_UNMATCHED = frozenset({"email", "username"})


def registration(policy: Policy) -> Iterator[Finding]:
    """Registration by oneself, or by invitation alone."""
    rules = policy.registration
    if rules.purge_unconfirmed_after < rules.invitation_lifetime:
        what = f"an invited account is purged before its link ends, after {written(rules.invitation_lifetime)}"
        remedy = "Raise it to registration.invitation_lifetime or more."
        yield Finding("registration.purge_unconfirmed_after", what, remedy, ("registration.invitation_lifetime",))
    if not RATE.fullmatch(rules.guesses):
        what = f"{quoted(rules.guesses[:40])} is not a rate"
        yield Finding("registration.guesses", what, 'Write a number and a unit: "5/hour" (second, minute, hour or day).')
    if rules.open:
        yield from _open(policy)
        return
    for name in ("match_customer", "fields", "optional"):
        if getattr(rules, name):
            what = f"registration.{name} is set but nobody can register"
            yield Finding(f"registration.{name}", what, "Remove it, or set registration.open to true.", ("registration.open",))


def _open(policy: Policy) -> Iterator[Finding]:
    rules, fields = policy.registration, ("registration.fields",)
    yield from _named(policy)
    for name in ("match_customer", "optional"):
        for field in sorted(set(getattr(rules, name)) - set(rules.fields)):
            what = f"{quoted(field)} is named here but not asked"
            yield Finding(f"registration.{name}", what, f"Add {quoted(field)} to registration.fields.", fields)
    yield from _matched(policy)
    for channel in rules.confirm_by:
        if _NEEDS[channel] not in rules.fields:
            what = f"a code goes by {channel} but {quoted(_NEEDS[channel])} is not asked"
            yield Finding("registration.confirm_by", what, f"Add {quoted(_NEEDS[channel])} to registration.fields.", fields)
    if rules.confirm_by and ("email" not in rules.confirm_by or "email" in rules.optional):
        what = "some who register could not be sent a code"
        remedy = 'Add "email" to it and ask everyone for an address, or ask for no code.'
        yield Finding("registration.confirm_by", what, remedy, ("registration.optional",))
    if rules.purge_unconfirmed_after < rules.code_lifetime:
        what = "an account is purged before its confirmation code ends"
        remedy = "Raise it to registration.code_lifetime or more."
        yield Finding("registration.purge_unconfirmed_after", what, remedy, ("registration.code_lifetime",))


def _named(policy: Policy) -> Iterator[Finding]:
    """Everybody who registers must have a name to sign in by."""
    rules, names = policy.registration, policy.sign_in.identify_by
    chosen = "username" in rules.fields and "username" not in rules.optional
    if not chosen and ("email" not in rules.fields or "email" in rules.optional):
        what = "nothing names the account: neither a username nor an email address must be given"
        yield Finding("registration.fields", what, 'Add "username" or "email", not as optional.', ("registration.optional",))
    elif not chosen and "email" not in names:
        what = "accounts are named by their email address, which nobody can sign in with"
        yield Finding("sign_in.identify_by", what, 'Add "email".', ("registration.fields",))
    if chosen and "username" not in names:
        what = "usernames are chosen that nobody can sign in with"
        yield Finding("sign_in.identify_by", what, 'Add "username".', ("registration.fields",))


def _matched(policy: Policy) -> Iterator[Finding]:
    """What is claimed of a customer of the operator is held against the records, or not asked."""
    rules, key = policy.registration, "registration.match_customer"
    for field in sorted(set(rules.match_customer) & _UNMATCHED):
        yield Finding(key, f"customer records say nothing of {quoted(field)}", "Remove it.")
    for field in REFERENCES:
        if field in rules.fields and field not in rules.match_customer:
            what = f"{quoted(field)} is asked and not held against the customer records"
            yield Finding(key, what, f"Add {quoted(field)} to it.", ("registration.fields",))
    if rules.match_customer and not set(rules.match_customer) & set(REFERENCES):
        what = "nothing says whose record is to match"
        yield Finding(key, what, 'Add "account_number" or "customer_code".')
    if rules.match_customer and set(rules.match_customer) <= set(REFERENCES):
        what = "whoever knows or guesses the number alone would match"
        yield Finding(key, what, 'Add "family_name", or another field that the records hold.')


def consent(policy: Policy) -> Iterator[Finding]:
    """What people are asked to agree to."""
    rules = policy.consent
    yield from key_list("consent.purposes", list(rules.purposes))
    for name, version in rules.purposes.items():
        if not version.strip():
            yield Finding(f"consent.purposes.{name}", "the text has no version", "Name the version in force.")
    if "terms" in rules.purposes:
        what = '"terms" is asked yes or no'
        yield Finding("consent.purposes", what, "Give the purpose another name: consent.terms speaks of the terms.")
    if rules.terms != "off" and not rules.terms_version:
        what = f'terms are "{rules.terms}" but have no version'
        remedy = 'Name the version in force, or set consent.terms to "off".'
        yield Finding("consent.terms_version", what, remedy, ("consent.terms",))
