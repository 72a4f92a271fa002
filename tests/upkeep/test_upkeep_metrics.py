"""What the metrics port tells of upkeep, from the database."""

from pathlib import Path

from prometheus_client import generate_latest

from idp.app.gathering import gathered
from idp.store import open_store
from tests.upkeep.conftest import Crowd


def told(crowd: Crowd, folder: Path, database: str = "") -> dict[str, float]:
    address = database or crowd.environ["IDP_DATABASE_URL"]
    page = generate_latest(gathered(folder, lambda: open_store(address, pool_size=1))).decode()
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_metrics_tell_when_the_last_round_ended_and_how_many_letters_wait(crowd: Crowd, tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    waiting, dead, ended = 'idp_letters{state="waiting"}', 'idp_letters{state="dead"}', "idp_upkeep_ended_timestamp_seconds"
    signals = {f'idp_signals{{state="{state}"}}': 0.0 for state in ("waiting", "held", "dead")}
    assert told(crowd, folder) == {waiting: 0, dead: 0, **signals}
    crowd.add(3, "remind", "suspend")
    crowd.sweep()
    # The portal hears of what was open there.
    signals['idp_signals{state="waiting"}'] = 3
    assert told(crowd, folder) == {waiting: 3, dead: 0, ended: crowd.clock().timestamp(), **signals}
    assert told(crowd, folder, f"sqlite:///{tmp_path}/none/idp.sqlite3") == {}
