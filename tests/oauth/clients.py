"""The clients of the provider, one of each kind, and the resources that they ask for."""

from dataclasses import replace
from datetime import timedelta

from joserfc.jwk import ECKey

from idp.model import Client, Resource
from idp.vault import digest

BILLING, SERVICE = "https://billing.example", "https://service.example"
SECRET = "portal-secret-of-256-bits: 100% ümläut+plus"
CALLBACK = "https://portal.example/cb?keep=1"
SCOPE = "openid profile email offline_access billing:read billing:itemised service:read"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTING = ECKey.generate_key("P-256", parameters={"kid": "robot-1"}, private=True)

_PORTAL = Client(
    id="portal",
    name="Portal",
    grant_types=("authorization_code", "refresh_token"),
    redirect_uris=(CALLBACK,),
    post_logout_redirect_uris=("https://portal.example/bye",),
    secret_digests=(digest("an older secret"), digest(SECRET)),
    scope=tuple(SCOPE.split()),
    resources=(BILLING, SERVICE),
    id_token_alg="ES256",
)
CLIENTS = (
    _PORTAL,
    replace(_PORTAL, id="poster", auth_method="client_secret_post", id_token_alg="RS256", resources=(BILLING,)),
    replace(_PORTAL, id="other", name="Other"),
    replace(_PORTAL, id="third", name="Third party", consent=True),
    replace(_PORTAL, id="old", require_pkce=False),
    replace(_PORTAL, id="disabled", disabled=True),
    replace(_PORTAL, id="one-mode", response_modes=("query",)),
    replace(
        _PORTAL,
        id="app",
        auth_method="none",
        secret_digests=(),
        redirect_uris=("com.telco.app:/cb", "http://127.0.0.1/cb", "http://[::1]:1234/cb", "https://spa.example/cb"),
    ),
    # Signs its requests, or may; lets its people be known by names of its own.
    replace(
        _PORTAL,
        id="signer",
        auth_method="private_key_jwt",
        secret_digests=(),
        jwks={"keys": [ASSERTING.as_dict(private=False)]},
        request_uris=("https://signer.example/request.jwt", "http://127.0.0.1/request.jwt"),
    ),
    replace(_PORTAL, id="pushes", require_par=True),
    # Has no bearer's tokens; and the same as FAPI 2.0 wants it.
    replace(_PORTAL, id="keyed", dpop=True, grant_types=(*_PORTAL.grant_types, "client_credentials")),
    Client(
        id="bank",
        name="Bank",
        grant_types=("client_credentials",),
        auth_method="private_key_jwt",
        jwks={"keys": [ASSERTING.as_dict(private=False)]},
        scope=("service:read",),
        resources=(SERVICE,),
        require_par=True,
        dpop=True,
        fapi=True,
    ),
    replace(_PORTAL, id="pairwise", sector="partner.example"),
    Client(
        id="robot",
        name="Robot",
        grant_types=("client_credentials",),
        auth_method="private_key_jwt",
        jwks={"keys": [ASSERTING.as_dict(private=False)]},
        scope=("service:read",),
        resources=(SERVICE,),
    ),
    replace(
        _PORTAL,
        id="settop",
        name="Set-top box",
        grant_types=(DEVICE_CODE, "refresh_token"),
        redirect_uris=(),
        auth_method="none",
        secret_digests=(),
    ),
    replace(_PORTAL, id="television", grant_types=(DEVICE_CODE,), redirect_uris=(), consent=True),
    replace(_PORTAL, id="elsewhere", sector="elsewhere.example"),
    Client(
        id="billing",
        name="Billing",
        grant_types=("client_credentials", TOKEN_EXCHANGE),
        secret_digests=(digest(SECRET),),
        scope=("service:read",),
        resources=(SERVICE,),
        introspects=(BILLING,),
        exchanges={SERVICE: ("service:read",)},
    ),
    Client(
        id="service",
        name="Service",
        grant_types=("client_credentials", TOKEN_EXCHANGE),
        secret_digests=(digest(SECRET),),
        scope=("billing:read", "service:read"),
        resources=(BILLING, SERVICE),
        introspects=(SERVICE,),
        exchanges={BILLING: ("billing:read", "billing:itemised")},
    ),
)
RESOURCES = (
    Resource("billing", BILLING, {"billing:read": "billing", "billing:itemised": "itemised"}, timedelta(minutes=5), "pwd+pin"),
    Resource("service", SERVICE, {"service:read": ""}, timedelta(minutes=30)),
)
