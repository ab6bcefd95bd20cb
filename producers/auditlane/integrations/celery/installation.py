"""Connects to Celery's signals, in processes that send tasks and in the workers' main and child processes."""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any, Final

from celery import signals

from auditlane.contract.vocabulary import ACTIONS
from auditlane.integrations.celery.carrying import put_in, taken_from
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.messages import did_you_mean
from auditlane.sdk import AuditClient, audit
from auditlane.sdk.context import AuditContext, known_values

ACTIONS_BY_DEFAULT: Final = ("task.failed", "task.retried", "task.revoked")

Tenant = str | Callable[[Any], object]


def install(
    app: Any,
    *,
    client: AuditClient = audit,
    actions: Collection[str] = ACTIONS_BY_DEFAULT,
    tenant: Tenant | None = None,
) -> None:
    """Record tasks that fail, are retried or are revoked, and carry the audit context with every task.

        app = Celery("shop", broker=…)
        install(app)

    Call it where the application is created, so that both the processes that send tasks and the workers run it. A
    task's own events have the tenant, the actor and the request id of the context in which the task was sent.

    Args:
        app: The Celery application whose tasks are recorded.
        client: The client that records; default: the process's default client.
        actions: The actions to record; default: `task.failed`, `task.retried` and `task.revoked`.
        tenant: Tenant of events about tasks that were sent without a context: its id, or a function that is called
            with the task's request and returns it.

    Raises:
        ConfigError: One of `actions` is unknown.
    """
    for action in actions:
        if action not in ACTIONS_BY_DEFAULT:
            raise ConfigError(
                f"install() cannot record {action!r:.120}.",
                field="actions",
                fix=f"{did_you_mean(action, ACTIONS_BY_DEFAULT)} Use any of: {', '.join(ACTIONS_BY_DEFAULT)}.".strip(),
            )
    tasks = _Tasks(app, client, frozenset(actions), tenant)
    for name in ("before_task_publish", "task_received", "task_prerun", "task_postrun"):
        _connect(app, client, name, getattr(tasks, name))
    for name in ("task_failure", "task_retry", "task_revoked"):
        _connect(app, client, name, getattr(tasks, name))


def _connect(app: Any, client: AuditClient, name: str, receiver: Callable[..., None]) -> None:
    @functools.wraps(receiver)
    def call(*given: Any, **named: Any) -> None:
        try:
            receiver(*given, **named)
        except Exception as error:  # Celery would log the error's text, which may contain arguments
            client.report_unrecorded(error)

    # A second call to `install` for the same application has no effect.
    getattr(signals, name).connect(call, weak=False, dispatch_uid=f"auditlane.{id(app)}.{name}")


class _Tasks:
    """The tasks that this process runs or supervises."""

    def __init__(self, app: Any, client: AuditClient, actions: frozenset[str], tenant: Tenant | None) -> None:
        self._app = app
        self._client = client
        self._actions = actions
        self._tenant = tenant
        # By the id of a task running here. There are several entries if an eager task is retried inside itself.
        self._entered: dict[str, list[tuple[AuditContext | None, float]]] = {}
        self._received: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def before_task_publish(self, headers: dict[str, Any] | None = None, **_: Any) -> None:
        if headers is not None:
            put_in(headers)

    def task_received(self, request: Any, **_: Any) -> None:
        """Keep a request until the worker is done with it, since signals about lost processes do not include it."""
        self._received[request.id] = request

    def task_prerun(self, task_id: str, task: Any, **_: Any) -> None:
        if not self._is_ours(task):
            return
        context = taken_from(vars(task.request), request_id=task.request.root_id or task_id)
        self._entered.setdefault(task_id, []).append((context, time.monotonic()))
        if context is not None:
            context.__enter__()

    def task_postrun(self, task_id: str, **_: Any) -> None:
        if not (entered := self._entered.get(task_id)):
            return
        context, _began = entered.pop()
        if not entered:
            del self._entered[task_id]
        if context is not None:
            context.__exit__(None, None, None)

    def task_failure(self, sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
        if task_id in self._entered:
            self._record("task.failed", sender, sender.request, exception)
        else:  # in the main process: the pool lost the task's process, or stopped it for its time limit
            request = self._received.get(task_id)
            headers = request.request_dict if request is not None else {"id": task_id}
            self._record_elsewhere("task.failed", sender, headers, exception)

    def task_retry(self, sender: Any, request: Any, reason: Any, **_: Any) -> None:
        cause = getattr(reason, "exc", None)  # None if the task asked for a retry without an exception
        self._record("task.retried", sender, request, cause if isinstance(cause, BaseException) else reason)

    def task_revoked(self, sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
        reason = "expired" if expired else "terminated" if terminated else "revoked"
        self._record_elsewhere("task.revoked", sender, vars(request), None, reason=reason)

    def _record_elsewhere(
        self, action: str, task: Any, headers: Mapping[str, Any], exception: BaseException | None, **metadata: str
    ) -> None:
        """Record an event in a process that has not entered the task's context, such as the worker's main process."""
        with taken_from(headers, request_id=headers.get("root_id") or "") or AuditContext():
            self._record(action, task, SimpleNamespace(**headers), exception, **metadata)

    def _record(self, action: str, task: Any, request: Any, exception: BaseException | None, **metadata: str) -> None:
        if action not in self._actions or not self._is_ours(task):
            return
        told: dict[str, object] = {"task_id": request.id, **metadata}
        if exception is not None:
            told["exception"] = type(exception).__name__  # never the exception's text, which may contain arguments
        if retries := getattr(request, "retries", 0):
            told["retries"] = retries
        if entered := self._entered.get(request.id):
            told["duration_ms"] = round((time.monotonic() - entered[-1][1]) * 1_000)
        known = ACTIONS[action]
        with AuditContext(resolve=None if self._tenant is None else functools.partial(self._assign, request)):
            self._client.record(
                action=action,
                resource="task",
                resource_id=task.name,
                outcome=known.outcome,
                severity=known.severity,
                metadata=told,
            )

    def _assign(self, request: Any, context: AuditContext) -> None:
        """Set the tenant for a task that was sent without one. The context calls this when it builds an event."""
        if known_values(_ignore).get("tenant_id") is None:
            found = self._tenant(request) if callable(self._tenant) else self._tenant
            context.tenant_id = None if found is None else str(found)

    def _is_ours(self, task: Any) -> bool:
        return getattr(task, "app", None) is self._app


def _ignore(_: Exception) -> None:
    """Ignore the error, since errors of the application's resolvers are reported with the event itself."""
