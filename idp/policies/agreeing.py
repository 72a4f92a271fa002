"""What a person still has to be asked: new versions of the terms, and purposes not answered yes or no."""

from idp.model import Account
from idp.policies.policy import Policy

# The name under which answers to the terms are kept, beside the keys of the purposes.
TERMS = "terms"


def in_force(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Name and version of each text that people are asked to agree to now, in policy's order: the terms come first."""
    rules = policy.consent
    terms = ((TERMS, rules.terms_version),) if rules.terms != "off" and rules.terms_version else ()
    return (*terms, *rules.purposes.items())


def unseen_terms(account: Account, policy: Policy) -> str | None:
    """The version of the terms in force, where the person has neither accepted it nor taken notice of it as policy asks.

    A notice counts for as long as a notice is all that is asked: terms to be accepted must have been accepted.
    """
    rules, last = policy.consent, account.answer_to(TERMS)
    if rules.terms == "off" or not rules.terms_version:
        return None
    seen = last is not None and last.version == rules.terms_version and (last.given or rules.terms == "notice")
    return None if seen else rules.terms_version


def unanswered(account: Account, policy: Policy) -> tuple[str, ...]:
    """The purposes that the person has not answered in the version in force, in policy's order."""
    answered = {(one.to, one.version) for one in account.agreed}
    return tuple(name for name, version in policy.consent.purposes.items() if (name, version) not in answered)
