"""Measures the cost of the Django integration for a view, with and without an event. Ratios within one run are
reported, not asserted.

The application runs in this process and is called directly, as a server would call it. Rounds alternate between the
variants, so that a busy machine slows all of them alike. Kafka is real, and the process's CPU time includes the threads
of its client.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.sdk import AuditClient, set_default_client

ROUNDS = int(os.environ.get("ROUNDS", "40"))
REQUESTS = 500  # per variant and round
SETTINGS: dict[str, Any] = {
    "SECRET_KEY": "x" * 50,
    "ALLOWED_HOSTS": ["*"],
    "ROOT_URLCONF": __name__,
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "INSTALLED_APPS": ["auditlane.integrations.django", "django.contrib.contenttypes", "django.contrib.auth"],
    "AUDITLANE": {"TENANT": lambda request: "acme", "TRUSTED_PROXIES": "10.0.0.0/8"},
    "LOGGING_CONFIG": None,
}
ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "SERVER_NAME": "app.example",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "10.0.0.1",
    "HTTP_HOST": "app.example",
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "HTTP_X_FORWARDED_FOR": "203.0.113.9, 10.0.0.2",
    "HTTP_TRACEPARENT": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "wsgi.url_scheme": "http",
    "wsgi.errors": BytesIO(),
}
urlpatterns: list[Any] = []  # filled in once Django is set up


def plain(request: Any) -> Any:
    from django.http import HttpResponse

    return HttpResponse("deleted")


def recorded(request: Any) -> Any:
    from auditlane.sdk import audit

    audit.record(action="document.deleted", resource="document", resource_id="d-98765", outcome="success")
    return plain(request)


def committed(request: Any) -> Any:
    """Record an event after the commit, as a model's signal handlers do. Here, the commit is immediate."""
    from auditlane.integrations.django.recording import record_after_commit

    record_after_commit("default", "document.deleted", resource="document", resource_id="d-98765")
    return plain(request)


def known_user(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    from django.contrib.auth.models import User

    user = User(pk=17, username="jane")

    def middleware(request: Any) -> Any:
        request.user = user
        return get_response(request)

    return middleware


class Measured:
    """One variant's times, in µs per request."""

    def __init__(self, path: str, middleware: list[str], settle: Callable[[], object]) -> None:
        from django.core.handlers.wsgi import WSGIHandler
        from django.test import override_settings

        with override_settings(MIDDLEWARE=[*middleware, f"{__name__}.known_user"]):
            self.handler = WSGIHandler()
        self.path, self._settle = path, settle
        self.cpu: list[float] = []  # the calling thread's time; one median per round
        self.process: list[float] = []  # all threads' time until Kafka has the events; one mean per round
        self.wall: list[float] = []

    def request(self) -> None:
        environ = {**ENVIRON, "PATH_INFO": self.path, "wsgi.input": BytesIO()}
        response = self.handler(environ, lambda status, headers, exc_info=None: None)
        assert b"".join(response) == b"deleted"
        response.close()

    def round(self) -> None:
        before, cpu = time.process_time(), []
        for _ in range(REQUESTS):
            wall, thread = time.perf_counter(), time.thread_time()
            self.request()
            cpu.append((time.thread_time() - thread) * 1e6)
            self.wall.append((time.perf_counter() - wall) * 1e6)
        self._settle()
        self.cpu.append(statistics.median(cpu))
        self.process.append((time.process_time() - before) / REQUESTS * 1e6)


def emit_alone(client: AuditClient) -> float:
    """Return the thread's median CPU time in µs for calling `emit` with the same event."""
    values: dict[str, Any] = {
        "tenant_id": "acme",
        "actor_id": "17",
        "actor_name": "jane",
        "ip": "203.0.113.9",
        "outcome": "success",
    }
    values |= {"user_agent": ENVIRON["HTTP_USER_AGENT"], "request_id": "4bf92f3577b34da6a3ce929d0e0e4736"}
    values |= {"action": "document.deleted", "resource": "document", "resource_id": "d-98765"}
    cpu = []
    for _ in range(REQUESTS):
        began = time.thread_time()
        client.emit(**values)
        cpu.append((time.thread_time() - began) * 1e6)
    client.flush(60)
    return statistics.median(cpu)


def test_a_view_with_and_without_the_integration(kafka, registry, unique):
    import django
    from django.conf import settings
    from django.urls import path

    settings.configure(**SETTINGS)
    django.setup()
    urlpatterns[:] = [path(f"{view.__name__}/", view) for view in (plain, recorded, committed)]
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(unique, 6, 1)])[unique].result(30)
    registrar = RegistryClient(registry)
    registrar.register(f"{unique}-value", json.dumps(base_schema()))
    registrar.close()
    client = AuditClient(kafka_bootstrap=kafka, registry_url=registry, topic=unique, max_block_ms=60_000)
    set_default_client(client)
    ours = ["auditlane.integrations.django.AuditMiddleware"]
    variants = {
        "without": Measured("/plain/", [], lambda: None),
        "middleware": Measured("/plain/", ours, lambda: None),
        "middleware and an event": Measured("/recorded/", ours, lambda: client.flush(60)),
        "middleware and an event after the commit": Measured("/committed/", ours, lambda: client.flush(60)),
    }
    for variant in variants.values():
        variant.round()
        variant.cpu.clear(), variant.process.clear(), variant.wall.clear()
    alone: list[float] = []
    for _ in range(ROUNDS):
        for variant in variants.values():
            variant.round()
        alone.append(emit_alone(client))
    assert client.stats.delivered == 2 * (ROUNDS + 1) * REQUESTS + ROUNDS * REQUESTS
    set_default_client(None)
    client.close()
    base = variants["without"]
    print(f"\nemit without Django: {statistics.median(alone):.0f} µs CPU of the thread")
    for name, variant in variants.items():
        cpu, base_cpu = statistics.median(variant.cpu), statistics.median(base.cpu)
        process = statistics.median(variant.process) - statistics.median(base.process)
        p50, p99 = statistics.median(variant.wall), statistics.quantiles(variant.wall, n=100)[98]
        base_p50, base_p99 = statistics.median(base.wall), statistics.quantiles(base.wall, n=100)[98]
        print(
            f"{name}: {cpu:.0f} µs CPU of the thread ({cpu - base_cpu:+.0f} µs, {cpu / base_cpu:.2f} times),"
            f" {process:+.0f} µs of the process; p50 {p50:.0f} µs ({p50 / base_p50:.2f} times),"
            f" p99 {p99:.0f} µs ({p99 / base_p99:.2f} times)"
        )
