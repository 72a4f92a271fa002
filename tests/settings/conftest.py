"""A copy of the shipped configuration to spoil, and an environment in which it is sound."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from idp.settings import ConfigurationError, load

ROOT = Path(__file__).parents[2]
ENVIRON = {
    "IDP_MASTER_KEY": bytes(byte * 7 % 256 for byte in range(101, 133)).hex(),
    "PORTAL_CLIENT_SECRET": "0123456789abcdef" * 4,
    "BILLING_CLIENT_SECRET": "123456789abcdef0" * 4,
    "SERVICE_CLIENT_SECRET": "23456789abcdef01" * 4,
}


@pytest.fixture
def environ() -> dict[str, str]:
    return dict(ENVIRON)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped configuration as ``config`` in an empty working directory."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return Path("config")


@pytest.fixture
def refusals(config: Path) -> Callable[[dict[str, str]], list[str]]:
    """What a load of the spoilt configuration says, a line for each problem."""

    def said(environ: dict[str, str]) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load(config, environ)
        assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
        return [str(problem) for problem in caught.value.problems]

    return said


@pytest.fixture
def spoil(config: Path) -> Callable[[str, str, str], int]:
    """Replace a text in a file of the configuration; answers the line it stood on."""

    def replaced(file: str, old: str, new: str) -> int:
        path = config / file
        text = path.read_text("utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new, 1), "utf-8")
        return text[: text.index(old)].count("\n") + 1

    return replaced
