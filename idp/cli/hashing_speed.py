"""How fast this installation hashes, and whether the argon2 bindings are the fast build made on this machine.

The wheel holds portable code; bindings compiled here with this processor's vector instructions do the same work in less
than half the time. Speed alone says little on an unknown machine, so it is set against OpenSSL's argon2 in the same run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import Final

from argon2.low_level import Type, hash_secret_raw

from idp.settings import HashingSettings

COMMAND: Final = (
    'CFLAGS="-O3 -march=native" ARGON2_CFFI_USE_SSE2=1 pip install --force-reinstall --no-deps --no-cache-dir '
    "--no-binary argon2-cffi-bindings argon2-cffi-bindings"
)
# Measured: the wheel takes 0.8 to 1.2 of OpenSSL's time, the native build 0.35 to 0.65, more on a busy machine.
_SURELY_FAST: Final = 0.65
_PERHAPS_FAST: Final = 0.75
_ROUNDS: Final = 9
_SALT: Final = b"a salt for speed"


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds of processor time for one hash, OpenSSL's for the same (None: it has none), and who built the bindings."""

    milliseconds: float
    reference: float | None
    built_here: bool

    @property
    def ratio(self) -> float | None:
        """Our time as a multiple of OpenSSL's."""
        return None if self.reference is None else self.milliseconds / self.reference

    @property
    def native(self) -> bool:
        """Whether the bindings are the fast build: by their speed, and in doubt by where they come from."""
        if self.ratio is None:
            return self.built_here
        return self.ratio <= _SURELY_FAST or (self.built_here and self.ratio <= _PERHAPS_FAST)


def measure(cost: HashingSettings) -> Speed:
    """Hash a few times at the configured cost, in turns with OpenSSL."""
    ours = _ours(cost)
    theirs = _openssl(cost)
    times: list[float] = []
    references: list[float] = []
    for _ in range(_ROUNDS):
        times.append(_timed(ours))
        if theirs is not None:
            references.append(_timed(theirs))
    return Speed(min(times) * 1000, min(references) * 1000 if references else None, _built_here())


def _timed(work: Callable[[], bytes]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _ours(cost: HashingSettings) -> Callable[[], bytes]:
    return lambda: hash_secret_raw(b"secret", _SALT, cost.iterations, cost.memory_kib, cost.parallelism, 32, Type.ID)


def _openssl(cost: HashingSettings) -> Callable[[], bytes] | None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - a yardstick, not the vault's own work
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415

    def work() -> bytes:
        kdf = Argon2id(salt=_SALT, length=32, iterations=cost.iterations, lanes=cost.parallelism, memory_cost=cost.memory_kib)
        return kdf.derive(b"secret")

    try:
        work()
    except UnsupportedAlgorithm:
        return None
    return work


def _built_here() -> bool:
    """Whether the bindings' wheel carries the plain tag of a local build ("linux_x86_64"), not that of a published one."""
    try:
        wheel = distribution("argon2-cffi-bindings").read_text("WHEEL") or ""
    except PackageNotFoundError:
        return False
    tags = [line.partition(":")[2].strip() for line in wheel.splitlines() if line.startswith("Tag:")]
    return bool(tags) and all("-linux_" in tag for tag in tags)
