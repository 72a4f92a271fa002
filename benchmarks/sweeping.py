"""One round of upkeep in a process of its own, told what it cost: seconds, CPU seconds, memory, accounts, acts, statements.

Rests between two stretches for ``sys.argv[1]`` times as long as the stretch took. On its input, lines "halt" and "go" hold
it between two stretches and let it go on; "end" leaves the round.
"""

import json
import re
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from idp.app.composition import make_world, put_in_force
from idp.flows.upkeep import sweep
from idp.settings import from_environment
from idp.store.statements import Link


class Commands:
    """What its input says."""

    def __init__(self) -> None:
        self.go, self.ended = threading.Event(), False
        self.go.set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            match line.strip():
                case "halt":
                    self.go.clear()
                case "go":
                    self.go.set()
                case "end":
                    self.ended = True
                    self.go.set()


def counted(statements: list[int]) -> None:
    """Count every statement from now on."""
    run = Link.run

    def counting(link: Link, statement: Any, values: Any) -> Any:
        statements[0] += 1
        return run(link, statement, values)

    Link.run = counting  # type: ignore[method-assign]


def peak() -> float:
    """The most megabytes it ever had resident; what getrusage says counts the process that it was started by, too."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    assert found is not None
    return int(found[1]) / 1000


def main() -> None:
    """Sweep, and tell."""
    rest, commands, statements = float(sys.argv[1]), Commands(), [0]
    world = put_in_force(make_world(from_environment()))
    counted(statements)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    commands.go.wait()
    looked = acts = stretches = 0
    longest = 0.0
    began, cpu = time.monotonic(), time.process_time()
    with closing(sweep(world)) as going:
        last = began
        for stretch in going:
            took = time.monotonic() - last
            looked, acts, stretches, longest = (
                looked + stretch.looked,
                acts + len(stretch.done),
                stretches + 1,
                max(longest, took),
            )
            if rest:
                time.sleep(rest * took)
            commands.go.wait()
            if commands.ended:
                break
            last = time.monotonic()
    told = {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "megabytes": peak(),
        "looked": looked,
        "acts": acts,
        "stretches": stretches,
        "longest": longest,
        "statements": statements[0],
        "whole": not commands.ended,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    world.store.close()


if __name__ == "__main__":
    main()
