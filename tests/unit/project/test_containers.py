"""Tests services in containers. Without Docker, tests are visibly skipped with the reason, or fail in CI."""

from __future__ import annotations

import pytest
from fixtures import containers


def test_parts_are_embedded_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_CHOICE", "embedded")
    assert not containers.chosen()


def test_an_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_CHOICE", "docker")
    with pytest.raises(pytest.fail.Exception, match="choose one of embedded, containers"):
        containers.chosen()


def test_without_docker_tests_are_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_CHOICE", "containers")
    monkeypatch.setattr(containers, "no_docker", lambda: "no process listens on the socket")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Docker daemon is reachable: no process listens"):
        containers.chosen()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Docker daemon is reachable"):
        containers.chosen()


def test_with_docker_they_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_CHOICE", "containers")
    monkeypatch.setattr(containers, "no_docker", lambda: "")
    assert containers.chosen()


def test_the_real_daemon_is_queried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configured daemon does not exist, so the query must fail."""
    containers.no_docker.cache_clear()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert containers.no_docker()
    containers.no_docker.cache_clear()
