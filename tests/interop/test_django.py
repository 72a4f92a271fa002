"""mozilla-django-oidc with the provider: a Django site signs people in, renews their sign-in unseen, signs them out."""

from collections.abc import Iterator

import httpx
import pytest
from django.db import connections
from django.test import Client

from tests.harness import House
from tests.interop import django_site
from tests.people import Person

pytestmark = [pytest.mark.xdist_group("interop")]


@pytest.fixture(scope="module")
def site(provider: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Client]]:
    metadata = httpx.get(f"{provider.url}/.well-known/openid-configuration").json()
    django_site.set_up(metadata, str(tmp_path_factory.mktemp("django") / "site.sqlite3"))
    yield Client
    connections.close_all()


def sent(person: Person, address: str) -> str:
    """Where a person whom the site sends away comes back to."""
    back = person.walk(person.open(address)).left
    assert back is not None
    assert back.startswith("http://testserver/")
    return back.removeprefix("http://testserver")


def test_django_signs_in_renews_and_signs_out(provider: House, site: type[Client]) -> None:
    visitor, person = site(), provider.customer()
    asked = visitor.get("/oidc/authenticate/?next=/me").headers["Location"]
    assert "code_challenge_method=S256" in asked
    signed_in = visitor.get(sent(person, asked))
    assert signed_in.headers["Location"] == "/me"
    assert visitor.get("/me").json() == {"email": person.account.email}

    session = visitor.session
    session["oidc_id_token_expiration"] = 0
    session.save()
    renewing = visitor.get("/me").headers["Location"]
    assert "prompt=none" in renewing
    assert visitor.get(sent(person, renewing)).headers["Location"].endswith("/me")
    assert visitor.get("/me").status_code == 200

    leaving = visitor.post("/oidc/logout/").headers["Location"]
    assert sent(person, leaving) == "/bye"
    assert not person.signed_in()
    assert visitor.get("/me").status_code == 302
