"""Checks the secrets and grants of one component: what an account needs, and what it has.

The components are those of `contract.acls`. Operators' commands, such as the doctor itself, use the account of `init`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # re-exported implicitly

from auditlane.access.provenance_keys import path_of
from auditlane.contract.acls import Allowed
from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.runtime.settings import Settings, variable

_KAFKA_NAMES: Final = {
    "".join(word.capitalize() for word in operation.name.split("_")): operation for operation in AclOperation
}
_LOGINS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")  # mechanisms with a user name and a password


class Component(StrEnum):
    """The process whose account and secrets are checked."""

    INIT = "init"
    WORKER = "worker"
    SERVE = "serve"

    @property
    def clickhouse_role(self) -> str:
        """The name of its role in `store.roles`."""
        return "query" if self is Component.SERVE else self.value


def secrets(settings: Settings, component: Component) -> Iterator[Finding]:
    """Yield a finding for each secret that is missing from the settings of a component. This function has no side
    effects.
    """
    required = ("keys_file", "signing_keys_file") if component is Component.SERVE else ()
    for field in required:
        if getattr(settings, field) is None:
            yield fail("host", f"{variable(field)} is not set.", "Set it to a file of `auditlane keys init`.")
    if component is Component.WORKER and path_of(settings) is None:
        fix = f"Set {variable('provenance_keys_file')} to the file that serve uses."
        yield warn("host", f"{variable('provenance_keys_file')} is not set: no signature is verified.", fix)
    if settings.clickhouse_user != "default" and not settings.clickhouse_password.get_secret_value():
        yield _missing_password("clickhouse", "clickhouse_password", settings.clickhouse_user)
    if settings.registry_user and not settings.registry_password.get_secret_value():
        yield _missing_password("registry", "registry_password", settings.registry_user)
    options = settings.kafka_extra
    protocol = str(options.get("security.protocol", "")).upper()
    if protocol.startswith("SASL") and str(options.get("sasl.mechanism", "PLAIN")).upper() in _LOGINS:
        for name in ("sasl.username", "sasl.password"):
            if not options.get(name):
                yield fail(
                    "kafka",
                    f"{variable('kafka_extra')} has no {name}, which {protocol} requires.",
                    f"Add it, or name a file with all options in {variable('kafka_extra')}_FILE.",
                )


def _missing_password(part: str, field: str, user: str) -> Finding:
    fix = f"Set {variable(field)}, or name a file with it in {variable(field)}_FILE."
    return warn(part, f"{variable(field)} is not set for the user {user}.", fix)


def missing_operations(needed: Iterable[str], authorized: Collection[AclOperation]) -> list[str]:
    """Return the missing operations, spelt as in kafka-acls. This function has no side effects."""
    if AclOperation.ALL in authorized:
        return []
    return [name for name in needed if _KAFKA_NAMES[name] not in authorized]


def access_findings(
    component: Component, authorized: Mapping[Allowed, Collection[AclOperation] | None], *, user: str = ""
) -> Iterator[Finding]:
    """Yield the findings about the rights of a Kafka account: the operations that it may use on each resource.

    A resource that maps to None does not exist. `user` is the account's name, or "" if it is unknown.
    """
    complete = True
    for resource, operations in authorized.items():
        missing = [] if operations is None else missing_operations(resource.operations, operations)
        if not missing:
            continue
        complete = False
        where = "the cluster" if resource.kind == "cluster" else f"{resource.kind} {resource.name}"
        place = "--cluster" if resource.kind == "cluster" else f"--{resource.kind} {resource.name}"
        pattern = " --resource-pattern-type prefixed" if resource.prefixed else ""
        yield fail(
            "kafka",
            f"The account{f' {user}' if user else ''} lacks {', '.join(missing)} on {where}, which {component} needs.",
            f"Run: kafka-acls --add --allow-principal User:{user or f'auditlane-{component}'} "
            f"{' '.join(f'--operation {name}' for name in missing)} {place}{pattern}",
        )
    if complete:
        yield ok("kafka", f"the account has the rights that {component} needs")


def grant_findings(component: Component, user: str, missing: Iterable[str], other: str = "") -> Iterator[Finding]:
    """Yield the findings about the grants of a ClickHouse account.

    `missing` are texts such as "INSERT ON `audit`.events". `other` is another component's role, if the account has
    all of its grants.
    """
    missing, role = list(missing), component.clickhouse_role
    if not missing:
        yield ok("clickhouse", f"the account {user} has the grants that {component} needs")
    elif other:
        yield fail(
            "clickhouse",
            f"The account {user} has the grants of auditlane_{other}, not those of auditlane_{role}.",
            f"Set {variable('clickhouse_user')} to the account of {component}, "
            f"or run: GRANT auditlane_{role} TO {user}",
        )
    else:
        statements = "; ".join(f"GRANT {grant} TO {user}" for grant in missing)
        yield fail(
            "clickhouse",
            f"The account {user} lacks {', '.join(missing)}, which {component} needs.",
            f"Run: {statements} (or grant it the role auditlane_{role})",
        )
