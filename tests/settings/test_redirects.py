"""The table of old addresses: optional, judged whole, and leading nowhere but to our own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from idp.settings import load

Refusals = Callable[[dict[str, str]], list[str]]


def test_there_need_be_none(config: Path, environ: dict[str, str]) -> None:
    assert load(config, environ).redirects == {}


def test_old_paths_lead_to_pages_of_ours_and_of_clients(config: Path, environ: dict[str, str]) -> None:
    (config / "redirects.toml").write_text(
        '[redirects]\n"/SelfCare/Login.jsp" = "/sign-in"\n"/bills/*" = "http://localhost:8081/bill"\n', "utf-8"
    )
    assert load(config, environ).redirects == {"/selfcare/login.jsp": "/sign-in", "/bills/*": "http://localhost:8081/bill"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('"/old" = "https://evil.example/"', "neither a page of this service nor"),
        ('"/old" = "//evil.example/"', "not"),
        ('"/old" = "/\\\\evil.example/"', "backslashes"),
        ('"/old" = "javascript:alert(1)"', "runs or opens things"),
        ('"/old" = "http://localhost:8081@evil.example/"', "user name"),
        ('"/old" = "http://localhost:8088/"', "neither a page of this service nor"),
        ('"/old" = "ftp://localhost:8081/"', "not https"),
        ('"old" = "/sign-in"', "is not a path"),
        ('"/old?x=1" = "/sign-in"', "is not a path"),
        ('"/old/../x" = "/sign-in"', "is not a path"),
        ('"/o*d" = "/sign-in"', "is not a path"),
        ('"https://portal.example/old" = "/sign-in"', "is not a path"),
    ],
)
def test_whatever_else_stops_the_start(config: Path, environ: dict[str, str], refusals: Refusals, line: str, said: str) -> None:
    (config / "redirects.toml").write_text(f"[redirects]\n{line}\n", "utf-8")
    (problem,) = refusals(environ)
    assert "redirects.toml:2" in problem
    assert said in problem


def test_one_address_in_two_spellings(config: Path, environ: dict[str, str], refusals: Refusals) -> None:
    (config / "redirects.toml").write_text('[redirects]\n"/a" = "/sign-in"\n"/A" = "/recover"\n', "utf-8")
    (problem,) = refusals(environ)
    assert "twice" in problem
