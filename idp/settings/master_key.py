"""The master key: 32 random bytes from the environment or from a file that nobody else may read."""

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path as FilePath

from idp.settings.document import ENVIRONMENT
from idp.settings.problems import Problem

LENGTH = 32
DEFAULT_FILE = "var/master.key"
_HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# Of 32 random bytes fewer than 16 differ about once in 10^14 draws; words and repeats stay far below.
_FEWEST_DIFFERENT = 16
_PRINTABLE = range(0x20, 0x7F)
REMEDY = "Make one with `idp keys master`."


def make_master_key_file(path: FilePath) -> None:
    """Write a new master key to ``path``, readable by this user only; refuses to replace a file (FileExistsError)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(LENGTH)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def master_key_path(stated: str | None, environ: Mapping[str, str]) -> FilePath:
    """The file of the master key: the environment's, else the one settings state, else the default."""
    return FilePath(environ.get("IDP_MASTER_KEY_FILE") or stated or DEFAULT_FILE)


def read_master_key(path: FilePath, environ: Mapping[str, str]) -> bytes | Problem:
    """The key from ``IDP_MASTER_KEY``, else from the file at ``path``; a problem where it is missing or weak."""
    variable = environ.get("IDP_MASTER_KEY")
    if variable is not None:
        return _judged(variable, ENVIRONMENT, "IDP_MASTER_KEY")
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1024).decode("ascii", "replace")
    except OSError as error:
        reason = (error.strerror or "it failed").lower()
        return Problem(str(path), 0, "master key", f"it can't be read: {reason}", REMEDY)
    if mode & _OTHERS:
        what = f"others may use the file (mode {stat.S_IMODE(mode):04o})"
        return Problem(str(path), 0, "master key", what, f"Run `chmod 600 {path}`.")
    return _judged(text, str(path), "master key")


def _judged(text: str, file: str, key: str) -> bytes | Problem:
    """The key that ``text`` encodes; the text is a secret and never shown."""
    raw = _decoded(text.strip())
    if raw is None:
        return Problem(file, 0, key, f"the key is not {LENGTH} bytes in base64 or hex", REMEDY)
    if len(set(raw)) < _FEWEST_DIFFERENT or all(byte in _PRINTABLE for byte in raw):
        return Problem(file, 0, key, "the key is not random", REMEDY)
    return raw


def _decoded(text: str) -> bytes | None:
    if _HEX.fullmatch(text) and len(text) == 2 * LENGTH:
        return bytes.fromhex(text)
    try:
        plain = text.replace("-", "+").replace("_", "/").rstrip("=")
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == LENGTH else None
