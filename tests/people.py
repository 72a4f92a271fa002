"""People with browsers: what they see, what they type, and where a client's request takes them."""

import base64
import hashlib
import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

from idp.model import Account

if TYPE_CHECKING:
    from tests.harness import House

PASSWORD = "correct horse battery staple"
NEW_PASSWORD = "quiet river under stone"
PIN = "280571"
NEW_PIN = "904617"
ANSWER = "Scuola Manzoni"
QUESTION = "first_school"
BILLING, SERVICE = "http://localhost:8082", "http://localhost:8083"
PORTAL_CALLBACK = "http://localhost:8081/callback"
APP_CALLBACK = "com.norda.app:/callback"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
# What stands in the real configuration for a secret of its own is made anew for each run.
PARTNER_SECRET = secrets.token_urlsafe(32)

_numbers = itertools.count(1)


def source() -> str:
    """An address of this machine in a network of its own, so that tests do not throttle each other."""
    number = next(_numbers)
    return f"127.{1 + number // 250 % 250}.{1 + number % 250}.1"


def browser(url: str, *, address: str | None = None, **more: Any) -> httpx.Client:
    """A client that keeps cookies and follows nothing by itself, from a network of its own."""
    transport = httpx.HTTPTransport(verify=False, local_address=address or source(), limits=httpx.Limits(max_connections=None))
    headers = {"User-Agent": CHROME, "Accept": "text/html", **more.pop("headers", {})}
    return httpx.Client(base_url=url, transport=transport, headers=headers, timeout=60, **more)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.forms: dict[str, dict[str, str]] = {}
        self.fields: dict[str, dict[str, str | None]] = {}
        self.heading = self.text = ""
        self.links: list[str] = []
        self._form: dict[str, str] = {}
        self._within: list[str] = []
        self._quiet = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if tag == "form":
            self.action = held.get("action") if self.action is None else self.action
            self._form = self.forms.setdefault(held.get("action") or "", {})
        if tag in ("input", "select") and held.get("name"):
            self.fields.setdefault(held["name"] or "", held)
            if held.get("type") == "hidden":
                self._form[held["name"] or ""] = held.get("value") or ""
        if tag == "a" and held.get("href"):
            self.links.append(held["href"] or "")
        if tag in ("script", "style"):
            self._quiet += 1
        if tag == "h1":
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._quiet -= 1
        if tag == "h1" and self._within:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._quiet:
            return
        self.text += data
        if self._within:
            self.heading += data


@dataclass
class Page:
    """What a browser shows after a request, or where outside the house it was sent."""

    response: httpx.Response
    trail: tuple[httpx.Response, ...] = ()
    _read: _Reader = field(default_factory=_Reader, repr=False)

    def __post_init__(self) -> None:
        if "html" in self.response.headers.get("Content-Type", ""):
            self._read.feed(self.response.text)

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return self.response.request.url.raw_path.decode()

    @property
    def heading(self) -> str:
        return " ".join(self._read.heading.split())

    @property
    def text(self) -> str:
        # What keeps the parts of an address on one line is not read.
        return " ".join(self._read.text.replace("\u2060", "").split())

    @property
    def hidden(self) -> dict[str, str]:
        """What the first form carries unseen."""
        return dict(self._read.forms.get(self._read.action or "", {}))

    @property
    def forms(self) -> dict[str, dict[str, str]]:
        """The forms of the page by their address, each with what it carries unseen."""
        return self._read.forms

    @property
    def fields(self) -> dict[str, dict[str, str | None]]:
        return self._read.fields

    @property
    def links(self) -> list[str]:
        return self._read.links

    @property
    def action(self) -> str:
        assert self._read.action is not None, f"no form: {self.status} {self.heading}"
        return self._read.action

    @property
    def step(self) -> str | None:
        """The name of the step whose form this is."""
        return self.hidden.get("step")

    @property
    def left(self) -> str | None:
        """The address outside the house that the browser was sent to."""
        return self.response.headers.get("Location") if self.response.is_redirect else None

    @property
    def answer(self) -> dict[str, str]:
        """The authorization response that the client was sent."""
        assert self.left, f"still here: {self.status} {self.heading} {self.text[:300]}"
        return dict(parse_qsl(urlsplit(self.left).query, keep_blank_values=True))


@dataclass
class Person:
    """Someone with a browser and, perhaps, secrets."""

    house: "House"
    username: str = ""
    password: str = PASSWORD
    pin: str = PIN
    new_password: str = NEW_PASSWORD
    new_pin: str = NEW_PIN
    answer: str = ANSWER
    question: str = QUESTION
    address: str = field(default_factory=source)
    headers: Mapping[str, str] = field(default_factory=dict)
    client: httpx.Client = field(init=False)
    verifiers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = browser(self.house.url, address=self.address, headers=dict(self.headers))

    @property
    def account(self) -> Account:
        return self.house.account(self.username)

    def elsewhere(self, **changes: Any) -> "Person":
        """The same person (or whoever knows the same) at another browser in another network."""
        return replace(self, address=source(), verifiers={}, **changes)

    def close(self) -> None:
        self.client.close()

    # Moving about

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    def open(self, path: str, **more: Any) -> Page:
        """Go to an address and follow the house's own redirects."""
        return self.follow(self.get(path, **more))

    def follow(self, response: httpx.Response) -> Page:
        trail = []
        while response.is_redirect and len(trail) < 20:
            target = httpx.URL(self.house.url).join(response.headers["Location"])
            if str(target).split("/", 3)[:3] != self.house.url.split("/", 3)[:3]:
                break
            trail.append(response)
            response = self.client.get(target)
        return Page(response, tuple(trail))

    def post(self, page: Page, fields: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send a page's form, not following; a field set to None is left out."""
        sent = {name: value for name, value in {**page.hidden, **(fields or {})}.items() if value is not None}
        return self.client.post(more.pop("to", page.action), data=sent, **more)

    def fill(self, page: Page, **fields: Any) -> Page:
        """Send a page's form and follow."""
        return self.follow(self.post(page, fields))

    def press(self, page: Page, action: str, **fields: Any) -> Page:
        """Send the page's form that leads to ``action``, and follow."""
        return self.follow(self.client.post(action, data={**page.forms[action], **fields}))

    # What people do

    def open_invitation(self, code: str) -> Page:
        return self.fill(self.open(f"/invitation?{urlencode({'code': code})}"), code=code)

    def given(self, page: Page) -> dict[str, str] | None:
        """What this person writes into a step's form."""
        answers: dict[str, dict[str, str]] = {
            "AskUsernameAndPassword": {"username": self.username, "password": self.password},
            "AskPin": {"pin": self.pin},
            "ChoosePassword": {"password": self.password, "password_again": self.password},
            "CreatePin": {"pin": self.pin, "pin_again": self.pin},
            "ChooseQuestion": {"question": self.question, "answer": self.answer},
            "Reactivate": {"answer": self.answer},
            "ExtraProof": {"answer": self.answer},
            "GiveConsent": {"decision": "allow"},
            "AcceptTerms": {},
            "AnswerPurposes": {name: "no" for name in page.fields if name.startswith("purpose-")},
            "ReplacePassword": {"password": self.new_password, "password_again": self.new_password},
            "ReplacePin": {"pin": self.new_pin, "pin_again": self.new_pin},
            "AnswerToRecover": {"answer": self.answer},
        }
        if page.step == "ConfirmRegistration":
            return {"code": self.house.code(self)}
        if page.step in ("EnterCode", "ResetByCode"):
            return {"code": self.house.code(self), **(answers["ReplacePassword"] if page.step == "ResetByCode" else {})}
        if page.step in ("ReactivateByCode", "ExtraProofByCode"):
            return {"code": self.house.code(self)} if "code" in page.fields else {"send": "yes"}
        return answers.get(page.step or "")

    def learn(self, step: str | None, fields: Mapping[str, str]) -> None:
        """Remember what was chosen in the place of a forgotten secret."""
        if step in ("ReplacePassword", "ResetByCode"):
            self.password = fields["password"]
        elif step == "ReplacePin":
            self.pin = fields["pin"]

    def walk(self, page: Page, *, until: str | None = None) -> Page:
        """Answer page after page until one is not a step's, is ``until``, or answered with a fault."""
        while page.left is None and page.status == 200 and page.step != until:
            fields = self.given(page)
            if fields is None:
                break
            step, page = page.step, self.fill(page, **fields)
            if page.status < 400:
                self.learn(step, fields)
        return page

    def named(self, page: Page) -> dict[str, str]:
        """What this person writes into the form that finds them, as far as it is asked."""
        account = self.account
        facts = {"username": account.username, "email": account.email, "name": account.full_name, "no_password": "yes"}
        return {name: value for name, value in facts.items() if name in page.fields}

    def recover(self, lost: str, *, page: Page | None = None, **fields: Any) -> Page:
        """Say what was forgotten, and who one is: where that leads."""
        form = page or self.open(f"/recover/{lost}")
        return self.fill(form, **{**self.named(form), **fields})

    def sign_in(self, *, until: str | None = None) -> Page:
        return self.walk(self.open("/sign-in"), until=until)

    def try_password(self, password: str = "wrong wrong wrong") -> Page:
        """One try at the sign-in page, in a sign-in of its own."""
        return self.fill(self.open("/sign-in"), username=self.username, password=password)

    def signed_in(self) -> bool:
        return self.get("/").status_code == 200

    # With a client

    def request(self, client: str = "portal", **params: Any) -> dict[str, Any]:
        """The parameters of a proper authorization request; None leaves one out."""
        verifier = secrets.token_urlsafe(32)
        asked: dict[str, Any] = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": callback(client),
            "scope": "openid profile email",
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            **params,
        }
        self.verifiers[asked["state"] or ""] = verifier
        return {name: value for name, value in asked.items() if value is not None}

    def ask(self, client: str = "portal", **params: Any) -> Page:
        """Be sent to the authorization endpoint by a client."""
        return self.open(f"/authorize?{urlencode(self.request(client, **params), doseq=True)}")

    def authorize(self, client: str = "portal", **params: Any) -> Page:
        """Be sent by a client, do what is asked, and be sent back."""
        return self.walk(self.ask(client, **params))

    def redeem(self, page: Page, client: str = "portal", **data: Any) -> httpx.Response:
        """What the client does with the answer."""
        answer = page.answer
        form = {
            "grant_type": "authorization_code",
            "code": answer.get("code"),
            "redirect_uri": callback(client),
            "code_verifier": self.verifiers[answer.get("state", "")],
            **data,
        }
        if client == "partner":
            form |= {"client_id": "partner", "client_secret": PARTNER_SECRET}
            client = ""
        return self.house.post("/token", {name: value for name, value in form.items() if value is not None}, client or None)

    def tokens(self, client: str = "portal", resource: str | None = BILLING, **params: Any) -> dict[str, Any]:
        """Sign in at a client and get its tokens."""
        params.setdefault("scope", "openid profile email offline_access billing:read service:read")
        if resource is not None:
            params.setdefault("resource", [BILLING, SERVICE] if client in ("portal", "app") else [resource])
        page = self.authorize(client, **params)
        answer = self.redeem(page, client, **({"resource": resource} if resource else {}))
        assert answer.status_code == 200, answer.text
        issued: dict[str, Any] = answer.json()
        return issued


def callback(client: str) -> str:
    return {
        "portal": PORTAL_CALLBACK,
        "app": APP_CALLBACK,
        "partner": "https://partner.example/cb",
        "old": "https://old.example/cb",
    }.get(client, PORTAL_CALLBACK)


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query, keep_blank_values=True)
