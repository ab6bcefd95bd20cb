"""A small service that records what its users do: an example of emitting events in real code.

Run it against any stack with `python examples/projects.py`, after setting the variables that `auditlane env` prints.
"""

from __future__ import annotations

import random
import sys
import uuid

from auditlane.sdk import AuditClient, Outcome, Severity


class ProjectService:
    """Keeps projects in memory. Each method does its work and then emits an event, even when it refuses."""

    def __init__(self, tenant: str, audit: AuditClient) -> None:
        self._tenant = tenant
        self._audit = audit
        self._projects: dict[str, str] = {}

    def create(self, user: str, name: str, ip: str) -> str:
        project = uuid.uuid4().hex[:8]
        self._projects[project] = name
        self._emit("project.created", user, project, ip, after={"name": name})
        return project

    def rename(self, user: str, project: str, name: str, ip: str) -> None:
        before, self._projects[project] = self._projects[project], name
        self._emit("project.renamed", user, project, ip, before={"name": before}, after={"name": name})

    def delete(self, user: str, project: str, ip: str, *, is_admin: bool) -> None:
        if not is_admin:
            self._emit("project.deleted", user, project, ip, outcome=Outcome.denied, severity=Severity.Medium)
            raise PermissionError(f"{user} may not delete projects")
        name = self._projects.pop(project)
        self._emit("project.deleted", user, project, ip, before={"name": name}, severity=Severity.High)

    def _emit(
        self,
        action: str,
        user: str,
        project: str,
        ip: str,
        outcome: Outcome = Outcome.success,
        severity: Severity = Severity.Info,
        before: object = None,
        after: object = None,
    ) -> None:
        self._audit.emit(
            tenant_id=self._tenant,
            action=action,
            actor_id=user,
            resource="project",
            resource_id=project,
            outcome=outcome,
            severity=severity,
            ip=ip,
            before=before,
            after=after,
            source="projects",
        )


class Visitors:
    """Simulates users who perform one action at a time."""

    USERS = ("user-17", "user-23", "user-42")
    NAMES = ("Apollo", "Borealis", "Cascade", "Delta", "Ember")

    def __init__(self, service: ProjectService) -> None:
        self._service = service
        self._open: list[str] = []
        self._dice = random.SystemRandom()

    def do_something(self) -> None:
        user, name = self._dice.choice(self.USERS), self._dice.choice(self.NAMES)
        ip = f"192.0.2.{self._dice.randint(1, 254)}"
        if len(self._open) < 2 or self._dice.random() < 0.4:
            self._open.append(self._service.create(user, name, ip))
        elif self._dice.random() < 0.6:
            self._service.rename(user, self._dice.choice(self._open), name, ip)
        else:
            project = self._dice.choice(self._open)
            try:
                self._service.delete(user, project, ip, is_admin=user == self.USERS[0])
            except PermissionError:
                return
            self._open.remove(project)


def main(tenant: str = "projects-example", actions: int = 10) -> None:
    """Emit a few events. Leaving the `with` block waits for Kafka, and raises an error if it does not acknowledge
    them.
    """
    with AuditClient() as audit:
        visitors = Visitors(ProjectService(tenant, audit))
        for _ in range(actions):
            visitors.do_something()
    print(f"{audit.stats.delivered} events of {tenant} delivered", file=sys.stderr)


if __name__ == "__main__":
    main()
