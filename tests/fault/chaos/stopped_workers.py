"""Kills a service while a worker is suspended just before or after a step. The worker then continues without that
service.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from fixtures.kafka import wait_for_broker

from chaos.faults import Fault, happens, kill
from chaos.pipeline import Pipeline


@dataclass(frozen=True)
class Part:
    """A service that can be killed and restarted. `nodes` is the required number of brokers, or 0 if any number will
    do.
    """

    name: str
    kill: Callable[[Pipeline], None]
    start: Callable[[Pipeline], None]
    nodes: int = 0


def _broker_back(at: Pipeline) -> None:
    at.parts.brokers.start()
    wait_for_broker(at.parts.brokers.bootstrap)


PARTS = (
    Part("broker", lambda at: at.parts.brokers.kill(), _broker_back, nodes=1),
    Part("ClickHouse", lambda at: at.parts.kill_clickhouse(), lambda at: at.parts.start_clickhouse()),
    Part("registry", lambda at: at.parts.registry.end(signal.SIGKILL), lambda at: at.parts.registry.start()),
)


def killed_at_a_step(part: Part, when: str, step: str) -> Callable[[Pipeline], Fault]:
    def inject(at: Pipeline) -> Fault:
        worker = at.start(f"{when}_{step}:stop")
        exited = lambda: worker.process.poll() is not None  # noqa: E731
        meanwhile = {"letters": at.load.burst, "complete": lambda: at.load.rest(1.2)}.get(step, lambda: None)
        stopped = happens(lambda: exited() or worker.stopped(), meanwhile=meanwhile) and not exited()
        if stopped:
            part.kill(at)
            worker.process.send_signal(signal.SIGCONT)
        yield
        if stopped:
            part.start(at)
            at.workers.append(worker)
        else:
            kill(worker)
        return stopped

    return inject
