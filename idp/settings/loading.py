"""From a directory and an environment to ``Settings``, or to every problem that stops the start."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path as FilePath
from typing import Final

from idp.model import Client
from idp.policies.judgement import texted
from idp.policies.policy import Policy
from idp.settings.brand import judge_brand
from idp.settings.client_keys import Place
from idp.settings.clients import read_clients
from idp.settings.consents import NONE, Texts, missing, read_texts
from idp.settings.document import ENVIRONMENT, Document, read_document
from idp.settings.environment import overridden
from idp.settings.master_key import master_key_path, read_master_key
from idp.settings.policy_file import load_policy
from idp.settings.problems import ConfigurationError, Problem
from idp.settings.reader import Reader
from idp.settings.redirects import pages_of, read_redirects
from idp.settings.registration import unknown_scopes, with_digests
from idp.settings.resources import read_resources
from idp.settings.serving import judge_serving
from idp.settings.settings import Secrets, Settings
from idp.settings.shapes import DEFAULT_PROFILE, LANGUAGE, SettingsFile

DIRECTORY = "config"
REDIRECTS = "redirects.toml"
CONSENTS = "consents.toml"
_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_REGION = re.compile(r"[A-Z]{2}")
_OFF = {"", "0", "false", "no"}
# What the settings have of the file without more ado.
_AS_WRITTEN: Final = frozenset(one.name for one in fields(SettingsFile)) & {one.name for one in fields(Settings)} - {"secrets"}


def config_directory(environ: Mapping[str, str]) -> FilePath:
    """Where the configuration is: ``IDP_CONFIG``, else ``config`` in the working directory."""
    return FilePath(environ.get("IDP_CONFIG") or DIRECTORY)


def from_environment() -> Settings:
    """The settings of this process; raises ``ConfigurationError`` with every problem."""
    return load(config_directory(os.environ), os.environ)


def settings_file() -> SettingsFile:
    """settings.toml alone, as this process would read it: for commands that start nothing and need no key."""
    loading = _Loading(config_directory(os.environ), os.environ)
    file = loading.file()
    if loading.problems or file is None:
        raise ConfigurationError(loading.problems)
    return file


def load(directory: FilePath, environ: Mapping[str, str]) -> Settings:
    """The settings in ``directory``, as ``environ`` overrides them; raises ``ConfigurationError`` with every problem."""
    loading = _Loading(directory, environ)
    settings = loading.settings()
    if loading.problems or settings is None:
        raise ConfigurationError(loading.problems)
    return settings


class _Loading:
    """One load under way; ``problems`` grows with each file read."""

    def __init__(self, directory: FilePath, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self.environ = environ
        self.problems: list[Problem] = []

    def file(self) -> SettingsFile | None:
        document = self._document("settings.toml")
        return self._file(document) if document else None

    def settings(self) -> Settings | None:
        file = self.file()
        policy = self._policy(file.profile if file else DEFAULT_PROFILE)
        if file is not None and policy is not None and file.sms.url is None:
            self._judge_texted(policy, file.profile)
        resources_reader = self._reader("resources.toml")
        longest = policy.tokens.access_token if policy else None
        resources = read_resources(resources_reader, longest) if resources_reader else {}
        self._keep(resources_reader)
        clients_reader = self._reader("clients.toml")
        place = Place(self.directory, self.environ)
        judged = resources if resources_reader and not resources_reader.problems else None
        clients = read_clients(clients_reader, judged, place) if clients_reader else {}
        self._keep(clients_reader)
        if file is not None and judged is not None:
            self.problems += unknown_scopes(file.registration, judged, str(self.directory / "settings.toml"))
        redirects = self._redirects(file, clients)
        texts = self._texts(policy, file.languages if file else ())
        key = self._master_key(file)
        if file is None or policy is None or key is None:
            return None
        return Settings(
            policy=policy,
            secrets=Secrets(key),
            clients=clients,
            resources=resources,
            redirects=redirects,
            texts=texts,
            **{name: getattr(file, name) for name in _AS_WRITTEN},
        )

    def _redirects(self, file: SettingsFile | None, clients: Mapping[str, Client]) -> Mapping[str, str]:
        if not (self.directory / REDIRECTS).exists():
            return {}
        reader = self._reader(REDIRECTS)
        pages = pages_of(clients.values(), *((file.issuer, file.brand.home) if file else ()))
        redirects = read_redirects(reader, pages) if reader else {}
        self._keep(reader)
        return redirects

    def _texts(self, policy: Policy | None, languages: Sequence[str]) -> Texts:
        path = self.directory / CONSENTS
        if not path.exists():
            problem = missing(str(path), policy) if policy is not None else None
            self.problems += [problem] if problem is not None else []
            return NONE
        reader = self._reader(CONSENTS)
        texts = read_texts(reader, policy, languages) if reader else NONE
        self._keep(reader)
        return texts

    def _document(self, name: str) -> Document | None:
        document, problems = read_document(self.directory / name)
        self.problems += problems
        return document

    def _reader(self, name: str) -> Reader | None:
        document = self._document(name)
        return Reader(document) if document else None

    def _keep(self, reader: Reader | None) -> None:
        if reader is not None:
            self.problems += sorted(reader.problems, key=lambda problem: problem.line)

    def _file(self, document: Document) -> SettingsFile | None:
        document, problems = overridden(document, SettingsFile, self.environ)
        reader = Reader(document)
        file = reader.read(SettingsFile, document.table)
        if file is not None:
            _judge_names(reader, file)
            judge_brand(reader, file.brand, file.languages)
            judge_serving(reader, file)
            self._judge_debug(file.issuer)
            file = with_digests(reader, file, Place(self.directory, self.environ))
        self._keep(reader)
        self.problems += problems
        return file

    def _judge_debug(self, issuer: str) -> None:
        if issuer.startswith("https:") and self.environ.get("FLASK_DEBUG", "").lower() not in _OFF:
            what = "debugging is on where people sign in: it shows code and secrets"
            self.problems.append(Problem(ENVIRONMENT, 0, "FLASK_DEBUG", what, "Unset it."))

    def _judge_texted(self, policy: Policy, profile: str) -> None:
        place = str(self.directory / "policies" / f"{profile}.toml")
        for key in texted(policy):
            what, remedy = (
                '"sms_code" is asked and there is no gateway',
                "Set sms.url in settings.toml, or write another proof.",
            )
            self.problems.append(Problem(place, 0, key, what, remedy))

    def _policy(self, profile: str) -> Policy | None:
        if not _PROFILE.fullmatch(profile):
            return None
        try:
            return load_policy(self.directory / "policies" / f"{profile}.toml")
        except ConfigurationError as error:
            self.problems += error.problems
            return None

    def _master_key(self, file: SettingsFile | None) -> bytes | None:
        path = master_key_path(file.secrets.master_key_file if file else None, self.environ)
        key = read_master_key(path, self.environ)
        if isinstance(key, Problem):
            self.problems.append(key)
            return None
        return key


def _judge_names(reader: Reader, file: SettingsFile) -> None:
    if not _PROFILE.fullmatch(file.profile):
        remedy = "Write the name of a file in config/policies, without its .toml."
        reader.refuse(("profile",), "not the name of a profile", remedy)
    if not _REGION.fullmatch(file.region):
        reader.refuse(("region",), "not a region", 'Write its two letters, as in "GB" or "IT" (ISO 3166).')
    if not file.languages:
        reader.refuse(("languages",), "no language is listed", 'List at least "en".')
    for number, language in enumerate(file.languages):
        if not LANGUAGE.fullmatch(language):
            reader.refuse(("languages", number), "not a language", 'Write its code: "en", "it" or "pt-BR".')
