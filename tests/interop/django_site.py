"""A small Django site that signs people in by mozilla-django-oidc, as its documentation says and no more."""

import os
from collections.abc import Mapping
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpRequest
from django.utils.http import urlencode

from tests.people import PARTNER_SECRET


def sign_out_address(request: HttpRequest) -> str:
    """Where a person is sent to be signed out at the provider too."""
    hint = request.session["oidc_id_token"]
    query = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": request.build_absolute_uri("/bye")})
    return f"{settings.OIDC_OP_LOGOUT_ENDPOINT}?{query}"


def set_up(metadata: Mapping[str, Any], database: str) -> None:
    """Configure the site, once a process, for a provider that publishes ``metadata``."""
    # A browser of another test may have its event loop in this thread; nothing of the site's runs in it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    settings.configure(
        SECRET_KEY="only for a test",
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "mozilla_django_oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "mozilla_django_oidc.middleware.SessionRefresh",
        ],
        AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
        ROOT_URLCONF="tests.interop.django_urls",
        LOGGING_CONFIG=None,
        LOGIN_URL="oidc_authentication_init",
        LOGIN_REDIRECT_URL="/me",
        LOGOUT_REDIRECT_URL="/",
        ALLOW_LOGOUT_GET_METHOD=False,
        OIDC_RP_CLIENT_ID="django",
        OIDC_RP_CLIENT_SECRET=PARTNER_SECRET,
        OIDC_RP_SCOPES="openid email profile",
        OIDC_RP_SIGN_ALGO="RS256",
        OIDC_USE_PKCE=True,
        OIDC_STORE_ID_TOKEN=True,
        OIDC_OP_AUTHORIZATION_ENDPOINT=metadata["authorization_endpoint"],
        OIDC_OP_TOKEN_ENDPOINT=metadata["token_endpoint"],
        OIDC_OP_USER_ENDPOINT=metadata["userinfo_endpoint"],
        OIDC_OP_JWKS_ENDPOINT=metadata["jwks_uri"],
        OIDC_OP_LOGOUT_ENDPOINT=metadata["end_session_endpoint"],
        OIDC_OP_LOGOUT_URL_METHOD=f"{__name__}.sign_out_address",
    )
    django.setup()
    call_command("migrate", verbosity=0)
