"""Apache with mod_auth_openidc before a page, in the foreground, its whole configuration and all its files in one folder."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.people import PARTNER_SECRET
from tests.prepare import find_apache

# Whom Apache becomes where root starts it.
_NOBODY = "nobody"
_CONFIGURATION = """
ServerRoot "{folder}"
ServerName localhost
Listen 127.0.0.1:{port}
PidFile "{folder}/apache.pid"
ErrorLog "{folder}/error.log"
Mutex file:{folder}
{account}
LoadModule mpm_event_module "{modules}/mod_mpm_event.so"
LoadModule authz_core_module "{modules}/mod_authz_core.so"
LoadModule authn_core_module "{modules}/mod_authn_core.so"
LoadModule authz_user_module "{modules}/mod_authz_user.so"
LoadModule headers_module "{modules}/mod_headers.so"
LoadModule auth_openidc_module "{modules}/mod_auth_openidc.so"
StartServers 1
ServerLimit 1
ThreadsPerChild 4
MaxRequestWorkers 4
DocumentRoot "{folder}/pages"
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret {secret}
OIDCRedirectURI http://localhost:{port}/callback
OIDCDefaultURL http://localhost:{port}/home/page
OIDCCryptoPassphrase "only for a test"
OIDCScope "openid profile email offline_access"
OIDCPKCEMethod S256
OIDCInfoHook access_token id_token userinfo refresh_token session
OIDCPassClaimsAs environment
<Location /home>
    AuthType openid-connect
    Require valid-user
    Header set X-Signed-In "%{{OIDC_CLAIM_email}}e"
</Location>
<Location /callback>
    AuthType openid-connect
    Require valid-user
</Location>
"""


@contextmanager
def running_apache(issuer: str, port: int, folder: Path) -> Iterator[None]:
    """Apache before one page, for people whom ``issuer`` knows."""
    program, modules = find_apache()
    home = folder / "pages" / "home"
    home.mkdir(parents=True)
    (home / "page").write_text("members only")
    # Apache's children give up root's rights: everything they read and write must be theirs.
    account = f"User {_NOBODY}" if os.getuid() == 0 else ""
    configuration = folder / "apache.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, port=port, modules=modules, issuer=issuer, secret=PARTNER_SECRET, account=account)
    )
    if account:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, _NOBODY)
    process = subprocess.Popen([program, "-X" if not account else "-DFOREGROUND", "-f", str(configuration)])
    try:
        _answers(f"http://localhost:{port}/bye", process, folder)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(address: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until somebody answers there."""
    for _ in range(100):
        assert process.poll() is None, (folder / "error.log").read_text()
        try:
            httpx.get(address)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError((folder / "error.log").read_text())
