"""What every worker counted, added up for one answer at the metrics port."""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


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


def gathered(path: Path) -> CollectorRegistry:
    """A registry over the workers' shared directory."""
    registry = CollectorRegistry()
    _Living(registry, path)
    return registry
