"""Keys that strangers show: the examples of the specifications, read by this code alone."""

import json

from idp.vault import possession
from idp.vault.jose import b64

# RFC 9449 4.1 and 7.1.
PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQy"
    "VVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiIt"
    "QndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ."
    "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


def test_the_example_of_the_rfc():
    shown = possession.shown(PROOF)
    assert shown is not None
    assert shown.claims["htu"] == "https://server.example.com/token"
    assert shown.key() == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_the_hash_of_the_token_in_the_rfc():
    assert possession.token_hash(TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_headers_without_a_key_prove_nothing():
    _, payload, signature = PROOF.split(".")
    for jwk in (None, {}, {"kty": "EC"}, {"kty": "oct", "k": "x"}, {"kty": "RSA", "n": "AQ", "e": "AQ"}, {"kty": ["EC"]}, 7):
        header = b64(json.dumps({"alg": "ES256", "jwk": jwk}).encode()).decode()
        shown = possession.shown(f"{header}.{payload}.{signature}")
        assert shown is not None
        assert shown.key() is None
