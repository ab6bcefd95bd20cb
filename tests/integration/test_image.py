"""Tests a built image. Its processes run as user 10001 on a read-only root file system, and restarts under load lose
nothing.

The tests need root, and AUDITLANE_TEST_IMAGE must be a folder with the image's root file system (`buildah mount`).
Otherwise, they are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pytest
from fixtures.workers import World, wait_until

from auditlane.local import ports

pytestmark = [pytest.mark.long, pytest.mark.timeout(3_600)]
VARIABLE = "AUDITLANE_TEST_IMAGE"
_IMAGE = os.environ.get(VARIABLE, "")  # read before tests clear the environment
RESTARTS = int(os.environ.get("AUDITLANE_TEST_RESTARTS", "50"))
# Enters the image in its own mount namespace, like a container platform with a read-only root.
ENTER = (
    'mount --bind "$0" "$0" && mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" '
    '&& mount -t tmpfs -o mode=1777 tmpfs "$0/tmp" && mount -o remount,ro,bind "$0" '
    '&& exec chroot --userspec=10001:10001 "$0" "$@"'
)
ENVIRONMENT = {
    "PATH": "/opt/auditlane/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@pytest.fixture
def command() -> list[str]:
    if not _IMAGE:
        pytest.skip(f"{VARIABLE} is not set: build an image with deploy/image/build.sh")
    if os.getuid() or not shutil.which("unshare"):
        pytest.skip("entering an image needs root and unshare")
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, _IMAGE, "auditlane"]


def test_restarts_under_load_lose_nothing_and_end_in_time(world: World, command: list[str]) -> None:
    produced = 0
    for number in range(RESTARTS):
        worker = world.worker(command=command, environment=ENVIRONMENT, provenance_keys_file="")
        worker.ready()
        for _ in range(5):
            world.produce(50)
            produced += 50
        process = psutil.Process(worker.process.pid)
        assert process.uids().effective == process.gids().effective == 10_001
        mounts = [line.split() for line in Path(f"/proc/{process.pid}/mountinfo").read_text().splitlines()]
        [options] = [fields[5] for fields in mounts if fields[4] == "/"]
        assert "ro" in options.split(",")
        if number % 3:
            worker.process.terminate()
            # The worker has a grace period of 30 s, of which the drain may take 10 s.
            assert worker.ended() == 0, worker.tail()
        else:
            worker.kill()
    world.worker(command=command, environment=ENVIRONMENT, provenance_keys_file="")
    world.completed(patience_s=120)
    assert world.counts() == (produced, produced)


def test_serve_is_ready_and_ends_in_order(world: World, command: list[str], tmp_path: Path) -> None:
    if not (Path(_IMAGE) / "opt/auditlane/bin/uvicorn").exists():
        pytest.skip("this is the image of the worker")
    [port] = ports.free(1)
    own = {
        "AUDITLANE_KAFKA_BOOTSTRAP": world.settings.kafka_bootstrap,
        "AUDITLANE_REGISTRY_URL": world.settings.registry_url,
        "AUDITLANE_CLICKHOUSE_URL": world.settings.clickhouse_url,
        "AUDITLANE_CLICKHOUSE_DATABASE": world.settings.clickhouse_database,
        "AUDITLANE_TOPIC": world.settings.topic,
        "AUDITLANE_KEYS_FILE": "/tmp/keys/keys.json",
        "AUDITLANE_SIGNING_KEYS_FILE": "/tmp/keys/signing-keys.json",
        "AUDITLANE_EXPORT_DIR": "/tmp/exports",
        "AUDITLANE_SERVE_PORT": str(port),
    }
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*command[:-1], "sh", "-c", "auditlane keys init >&2 && exec auditlane serve"],
            env=ENVIRONMENT | own,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert json.loads(line)["ready"], (tmp_path / "serve.log").read_text()

            def ready() -> bool:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as answer:
                    return bool(answer.status == 200)

            wait_until(ready)
            process.terminate()
            assert process.wait(60) == 0, (tmp_path / "serve.log").read_text()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
