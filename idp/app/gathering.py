"""What every worker counted, added up for one answer at the metrics port, and what the database tells beside it."""

from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from idp.flows.upkeep import TASK
from idp.store import Store, StoreDown


class _Living(MultiProcessCollector):
    """Adds up the workers' files; what is under way counts only in workers that live."""

    def __init__(self, registry: CollectorRegistry, path: Path) -> None:
        super().__init__(registry, str(path))  # type: ignore[no-untyped-call]
        self._files = path

    def collect(self) -> Iterable[Metric]:
        """The sums, after the gauges of dead workers are removed."""
        for file in self._files.glob("gauge_live*.db"):
            pid = file.stem.rpartition("_")[2]
            if not Path("/proc", pid).exists():
                mark_process_dead(pid, str(self._files))  # type: ignore[no-untyped-call]
        metrics: Iterable[Metric] = super().collect()  # type: ignore[no-untyped-call]
        return metrics


class _Kept(Collector):
    """What stands in the database: the last end of upkeep, letters and signals. Silent while it can't be asked."""

    def __init__(self, opened: Callable[[], Store]) -> None:
        self._opened = opened

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before somebody wants to know."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Asked over a connection of its own, closed again: the workers that are forked later inherit none."""
        store = self._opened()
        try:
            with store.read() as tx:
                last, letters, signals = tx.turns.of(TASK), tx.outbox.depth(), tx.signals.depth()
        except StoreDown:
            return
        finally:
            store.close()
        ended = GaugeMetricFamily("idp_upkeep_ended_timestamp_seconds", "When the last round of upkeep ended, Unix time")
        if last.ended_at is not None:
            ended.add_metric([], last.ended_at.timestamp())
        yield ended
        waiting = GaugeMetricFamily("idp_letters", "Letters by state: waiting to be sent, or given up", labels=["state"])
        for state, count in letters.items():
            waiting.add_metric([state], count)
        yield waiting
        telling = GaugeMetricFamily(
            "idp_signals", "Signals to relying parties by state: waiting to be sent, held, or given up", labels=["state"]
        )
        for state, count in signals.items():
            telling.add_metric([state], count)
        yield telling


def gathered(path: Path, opened: Callable[[], Store]) -> CollectorRegistry:
    """A registry over the workers' shared directory, and over the store that ``opened`` opens."""
    registry = CollectorRegistry()
    _Living(registry, path)
    registry.register(_Kept(opened))
    return registry
