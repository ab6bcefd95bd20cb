"""Tests `auditlane worker --processes` on real services. First a child is killed, and then the parent."""

from __future__ import annotations

import signal
import socket

import psutil
from fixtures.workers import World, wait_until


def test_processes_share_the_work_and_a_killed_one_is_restarted(world: World) -> None:
    group = world.worker("--processes", "2")
    announced = group.announcement()
    assert len({one["url"] for one in announced["processes"]}) == 2
    world.produce(200)
    world.stored(200)
    psutil.Process(announced["processes"][0]["pid"]).kill()
    wait_until(lambda: group.events("process.ended"), why=group.tail)
    world.produce(200)
    world.completed()
    assert world.counts() == (400, 400)
    wait_until(lambda: len(psutil.Process(group.process.pid).children()) == 2, why=group.tail)
    children = psutil.Process(group.process.pid).children()
    group.process.terminate()
    assert group.ended() == 0
    assert not any(child.is_running() for child in children)


def test_starts_stops_and_kills_are_in_the_audit_log_once_each(world: World) -> None:
    one = world.worker(trail_lifecycle=True)
    one.ready()
    assert one.stop() == 0
    group = world.worker("--processes", "2", trail_lifecycle=True)
    killed = group.announcement()["processes"][1]["pid"]
    psutil.Process(killed).kill()
    parent = psutil.Process(group.process.pid)

    def replaced() -> bool:
        children = {child.pid for child in parent.children()}
        return len(children) == 2 and killed not in children

    wait_until(replaced, why=group.tail)
    group.process.terminate()
    assert group.ended() == 0
    world.worker().ready()  # stores what the group's parent recorded when it ended
    world.completed()
    query = (
        "SELECT action, outcome, severity, metadata['instance'], metadata['cause'], metadata['processes'], resource_id"
        f" FROM {world.events} WHERE tenant_id = '_auditlane' AND source = 'auditlane' ORDER BY occurred_at"
    )
    host = socket.gethostname()
    first, parents = f"{host}:{one.process.pid}", f"{host}:{group.process.pid}"
    assert world.client.query(query).result_rows == [
        ("service.started", "success", "Info", first, "", "", "worker"),
        ("service.stopped", "success", "Info", first, "", "", "worker"),
        ("service.started", "success", "Info", parents, "", "2", "worker"),
        ("worker.restarted", "failure", "Medium", f"{host}:{killed}", "SIGKILL", "", "worker"),
        ("service.stopped", "success", "Info", parents, "", "", "worker"),
    ]


def test_a_killed_parent_leaves_no_orphan_and_nothing_is_lost(world: World) -> None:
    group = world.worker("--processes", "2")
    children = [psutil.Process(one["pid"]) for one in group.announcement()["processes"]]
    world.produce(200)
    group.kill()
    wait_until(lambda: not any(map(_alive, children)))
    again = world.worker("--processes", "2")
    world.completed()
    assert world.counts() == (200, 200)
    again.process.send_signal(signal.SIGINT)
    assert again.ended() == 0


def test_wrong_configuration_ends_the_group(world: World) -> None:
    group = world.worker("--processes", "2", clickhouse_database="nowhere")
    assert group.ended() == 2
    assert "has no table" in group.tail()


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
