"""Who may register clients over the protocol: the tokens of ``[registration]`` by their digests, and scopes that there are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from idp.model import Resource
from idp.policies.finding import closest
from idp.policies.tokens import PEOPLE_SCOPES
from idp.settings.client_keys import Place, read_secret
from idp.settings.document import quoted
from idp.settings.problems import Problem
from idp.settings.reader import Reader
from idp.settings.settings import RegistrationSettings
from idp.settings.shapes import SettingsFile


def with_digests(reader: Reader, file: SettingsFile, place: Place) -> SettingsFile:
    """The file with its initial access tokens as digests alone; problems are left with the reader."""
    digests = []
    for number, source in enumerate(file.registration.initial_access_tokens):
        digest = read_secret(source, place)
        if isinstance(digest, str):
            digests.append(digest)
        else:
            reader.refuse(("registration", "initial_access_tokens", number), *digest)
    return replace(file, registration=replace(file.registration, initial_access_tokens=tuple(digests)))


def unknown_scopes(settings: RegistrationSettings, resources: Mapping[str, Resource], file: str) -> Iterator[Problem]:
    """A problem for each scope that neither OpenID Connect nor a resource offers."""
    offered = [*PEOPLE_SCOPES, *(scope for resource in resources.values() for scope in resource.scopes)]
    for scope in settings.scope.split():
        if scope not in offered:
            yield Problem(file, 0, "registration.scope", f"{quoted(scope)} is offered by nobody", closest(scope, offered))
