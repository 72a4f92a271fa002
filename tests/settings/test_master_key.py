"""The master key: where it comes from, and which are refused."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from idp.settings import load, make_master_key_file, master_key_path

Refusals = Callable[[dict[str, str]], list[str]]
KEY = bytes(byte * 7 % 256 for byte in range(101, 133))
REMEDY = "Make one with `idp keys master`."


def write(text: str, mode: int = 0o600) -> Path:
    path = Path("var/master.key")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        f"  {KEY.hex()}\n",
    ],
)
def test_a_key_in_hex_or_base64_is_read(config: Path, environ: dict[str, str], text: str) -> None:
    assert load(config, environ | {"IDP_MASTER_KEY": text}).secrets.master_key == KEY
    del environ["IDP_MASTER_KEY"]
    write(text)
    assert load(config, environ).secrets.master_key == KEY


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not 32 bytes"),
        ("changeme", "not 32 bytes"),
        (KEY[:31].hex(), "not 32 bytes"),
        (KEY.hex() + "00", "not 32 bytes"),
        ("é" * 32, "not 32 bytes"),
        ("00" * 32, "not random"),
        ("0123456789abcdef" * 4, "not random"),
        (base64.b64encode(b"changeme-changeme-changeme-12345").decode(), "not random"),
        (base64.b64encode(b"correct horse battery staple!:)?").decode(), "not random"),
    ],
)
def test_a_weak_key_is_refused_and_not_shown(refusals: Refusals, environ: dict[str, str], text: str, what: str) -> None:
    (said,) = refusals(environ | {"IDP_MASTER_KEY": text})
    assert said.startswith(f"environment: IDP_MASTER_KEY: the key is {what}")
    assert said.endswith(REMEDY)
    assert not text or text not in said


def test_no_key_at_all_is_refused(refusals: Refusals, environ: dict[str, str]) -> None:
    del environ["IDP_MASTER_KEY"]
    assert refusals(environ) == [f"var/master.key: master key: it can't be read: no such file or directory. {REMEDY}"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_use_is_refused(refusals: Refusals, environ: dict[str, str], mode: int) -> None:
    del environ["IDP_MASTER_KEY"]
    write(KEY.hex(), mode)
    assert refusals(environ) == [
        f"var/master.key: master key: others may use the file (mode {mode:04o}). Run `chmod 600 var/master.key`."
    ]


def test_a_made_key_file_is_sound_private_and_never_replaced(config: Path, environ: dict[str, str], tmp_path: Path) -> None:
    del environ["IDP_MASTER_KEY"]
    path = tmp_path / "deep" / "er" / "master.key"
    previous = os.umask(0)
    try:
        make_master_key_file(path)
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o600
    key = load(config, environ | {"IDP_MASTER_KEY_FILE": str(path)}).secrets.master_key
    assert len(key) == 32
    with pytest.raises(FileExistsError):
        make_master_key_file(path)
    make_master_key_file(tmp_path / "other.key")
    assert (tmp_path / "other.key").read_text() != path.read_text()


def test_where_the_key_file_is() -> None:
    assert master_key_path(None, {}) == Path("var/master.key")
    assert master_key_path("here.key", {}) == Path("here.key")
    assert master_key_path("here.key", {"IDP_MASTER_KEY_FILE": "there.key"}) == Path("there.key")
