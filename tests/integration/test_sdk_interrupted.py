"""Tests emitting while another emit is interrupted: in signal handlers, in logging handlers, and in children of busy
processes.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from reading import read_actions, topic_with_schema

from auditlane.local import ports


def run(text: str, registry: str, topic: str, kafka: str) -> subprocess.CompletedProcess[str]:
    variables = {"KAFKA_BOOTSTRAP": kafka, "REGISTRY_URL": registry, "TOPIC": topic}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AUDITLANE_")} | {
        f"AUDITLANE_{name}": value for name, value in variables.items()
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text], env=environ, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    return done


# The handler sets a one-shot timer again, at most three levels deep. With an interval timer, slow handlers would nest
# without limit.
SIGNALS = """
import signal
from auditlane.sdk import AuditClient
audit, handled, depth = AuditClient(), 0, 0
def arm():
    if handled < 100 and depth < 3:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
def handler(*_):
    global handled, depth
    handled, depth = handled + 1, depth + 1
    arm()
    audit.emit(tenant_id="acme", action="handled")
    audit.flush(0.001) if handled % 10 else audit.flush(30)
    depth -= 1
    arm()
signal.signal(signal.SIGALRM, handler)
arm()
emitted = 0
while handled < 100:
    audit.emit(tenant_id="acme", action="emitted")
    emitted += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert audit.flush(30)
stats = audit.stats
assert (stats.delivered, stats.emitted, stats.pending) == (emitted + handled, emitted + handled, 0), stats
"""
CLOSES = """
import os, signal, sys
from auditlane.sdk import AuditClient
audit = AuditClient()
audit.emit(tenant_id="acme", action="first")
opened = audit._publisher._tracker.open
def interrupted(*arguments):
    epoch = opened(*arguments)
    os.kill(os.getpid(), signal.SIGTERM)
    return epoch
audit._publisher._tracker.open = interrupted
def handler(*_):
    result = audit.close(60)
    assert result.delivered == 1, result
    sys.exit(0)
signal.signal(signal.SIGTERM, handler)
audit.emit(tenant_id="acme", action="second")
sys.exit(3)
"""
LOGGING = """
import logging
from auditlane.sdk import AuditClient
class Handler(logging.Handler):
    def emit(self, record):
        audit.emit(tenant_id="acme", action="logged", description=record.getMessage())
audit = AuditClient(registry_wait_ms=30_000)
logging.basicConfig(level=logging.DEBUG, handlers=[Handler()])
logging.debug("first")
assert audit.flush(30)
assert audit.stats.delivered == 1, audit.stats
"""
FORKS = """
import os, sys, threading
from auditlane.sdk import AuditClient
audit = AuditClient()
end = threading.Event()
def busy():
    while not end.is_set():
        audit.emit(tenant_id="acme", action="busy")
        end.wait(0.0001)
def hold():
    publisher = audit._publisher
    with publisher._lock, publisher._tracker._changed, publisher._transport._schemas._changed:
        held.set(); end.wait()
def fork():
    for _ in range(4):
        if (pid := os.fork()) == 0:
            audit.emit(tenant_id="acme", action="child")
            os._exit(0 if audit.flush(30) else 3)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
codes = []
thread = threading.Thread(target=busy); thread.start()
forking = threading.Thread(target=fork); forking.start(); forking.join()
end.set(); thread.join(); end.clear()
held = threading.Event()
thread = threading.Thread(target=hold); thread.start(); held.wait()
fork()
end.set(); thread.join()
assert codes == [0] * 8, codes
os._exit(0)
"""


@pytest.fixture
def topic(kafka: str, registry: str, unique: str) -> str:
    return topic_with_schema(kafka, registry, unique)


@pytest.mark.parametrize("text", [SIGNALS, CLOSES, LOGGING, FORKS], ids=["signals", "close", "logging", "forks"])
def test_an_emit_that_interrupts_another_does_not_deadlock(text, kafka, registry, topic):
    run(text, registry, topic, kafka)


AT_ONCE = """
import os, sys
from auditlane.sdk import AuditClient
audit = AuditClient()
if (pid := os.fork()) == 0:
    audit.emit(tenant_id="acme", action="child")
    os._exit(0 if audit.flush(30) else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_child_forked_from_a_new_client_emits(kafka, registry, topic):
    for _ in range(3):
        run(AT_ONCE, registry, topic, kafka)
    assert read_actions(kafka, topic, 3) == ["child"] * 3


def test_unreachable_kafka_is_logged_once(registry, topic):
    text = """
import logging, time
logging.basicConfig(level=logging.INFO)
from auditlane.sdk import AuditClient
audit = AuditClient(close_timeout_s=0)
audit.emit(tenant_id="acme", action="a")
while not audit._publisher._delivery._outage.away: time.sleep(0.05)
assert not audit.flush(3)
"""
    done = run(text, registry, topic, f"127.0.0.1:{ports.free(1)[0]}")
    logged = done.stderr.splitlines()
    assert [one.split(":")[0] for one in logged] == ["ERROR"] * 2, logged
    assert "is not reachable" in logged[0]
    assert "1 audit events were not delivered before the process exited" in logged[1]
