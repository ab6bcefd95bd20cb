"""Changes fields in the registry. Environment fields are in the base subject and in the subject of every tenant. A
tenant's own fields are only in the subject of that tenant.

Repeating an interrupted operation completes it, since a field that exists is not added again. A tenant's contract never
blocks a change to that of the environment. If the tenant has a field with the same name, it stays unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Final

from auditlane.contract.amend import Schema, amend, check
from auditlane.contract.field_definition import alike, conflict, own_field, own_fields, same, with_field, without_rules
from auditlane.contract.registry import Registered, RegistryClient
from auditlane.contract.registry_client import registry_client
from auditlane.contract.registry_reader import Observe, newest_complete
from auditlane.contract.tenant_contract import TenantContract
from auditlane.contract.tenants import base_subject, tenant_of_subject, tenant_subject
from auditlane.query.structure import budget
from auditlane.runtime.errors import FieldConflict, InvalidInput, RegistryUnavailable, SchemaNotFound
from auditlane.runtime.log import get
from auditlane.runtime.settings import ContractSettings, Settings

_AT_ONCE: Final = 4  # number of subjects changed concurrently; the client keeps as many connections
_NAMED: Final = 5  # maximum number of tenants named in a log entry


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered version of a tenant's contract, or of the environment's contract if `tenant` is None.

    `previous` is the version that it extends, or 0 for the first one.
    """

    tenant: str | None
    subject: str
    previous: int
    version: int


Registrations = tuple[Registration, ...]


class ContractRepository:
    """The contracts of the environment and its tenants. Thread-safe.

    Methods raise the errors of RegistryClient and `amend`.
    """

    def __init__(self, client: RegistryClient, topic: str, limits: ContractSettings | None = None) -> None:
        self._client = client
        self._topic = topic
        self._base = base_subject(topic)
        self._limits = limits or ContractSettings()

    def environment(self) -> Registered:
        """Return the newest version of the base event that has all of its fields."""
        try:
            return newest_complete(self._client, self._base)
        except SchemaNotFound as error:
            raise SchemaNotFound(error.message, fix="Run `auditlane init`, or check AUDITLANE_REGISTRY_URL.") from error

    def of(self, tenant: str | None) -> Registered:
        """Return the contract for the tenant's events. It is the tenant's own contract, or that of the base event if
        the tenant has no contract of its own.
        """
        if tenant is not None:
            try:
                return self._client.latest(tenant_subject(self._topic, tenant))
            except SchemaNotFound:
                pass
        return self.environment()

    def add(self, tenant: str | None, avro: Schema, *, replace: bool, exclusive: bool | None = None) -> Registrations:
        """Add a field, or change it to this definition if `replace` is set. Returns the registered versions.

        Raises FieldConflict if the field exists with another definition, and InvalidInput or TooManyVersions if the
        contract would exceed a limit.
        """
        budget.check_field(avro, self._limits)
        if tenant is None:
            return self._add_everywhere(avro, replace=replace, exclusive=exclusive)
        environment = self.environment()
        base = schema_of(environment)
        theirs = own_field(base, avro["name"])
        if theirs is not None:
            return self._add_environments(tenant, theirs, avro)
        change = self._within(_adding(avro, replace=replace, exclusive=exclusive), base)
        most = self._limits.contract_versions + environment.version  # only the tenant's own changes count
        return self._amend(tenant, change, seed=lambda: base | {"exclusive": False}, most_versions=most)

    def release(self, tenant: str | None, name: str) -> Registrations:
        """Remove the rules of a field. Returns the registered versions."""
        was = own_field(schema_of(self.environment()), name)
        if tenant is not None:
            own = self._own(tenant)
            if own is None or (was is not None and same(own_field(schema_of(own), name), was)):
                return ()  # a tenant cannot remove the environment's rules
            return self._amend(tenant, lambda schema: without_rules(schema, name))
        if was is None:
            return ()

        def stripped(schema: Schema) -> Schema:
            return without_rules(schema, name) if same(own_field(schema, name), was) else schema

        # The base comes last: until it has changed, a repeated call knows which tenants remain.
        return self._in_every_tenants(stripped) + self._amend(None, stripped)

    def _add_environments(self, tenant: str, theirs: Schema, avro: Schema) -> Registrations:
        """Add a field of the environment to a tenant's contract, with the environment's definition."""
        rules = {key for key in avro if key not in ("name", "type", "default")}
        if conflict(theirs, avro) or ((rules or avro["default"] is not None) and not same(theirs, avro)):
            raise FieldConflict(
                f"The field {avro['name']} belongs to the environment; no tenant can change its definition.",
                field="name",
                fix="Omit type, default and rules, or choose another name.",
            )
        if self._own(tenant) is None:
            return ()
        return self._amend(tenant, _adding(theirs, replace=False, keep=True))

    def _add_everywhere(self, avro: Schema, *, replace: bool, exclusive: bool | None) -> Registrations:
        base = schema_of(self.environment())
        was = own_field(base, avro["name"])

        def change(schema: Schema) -> Schema:
            here = own_field(schema, avro["name"])
            if here is None or (replace and was is not None and same(here, was)):
                return with_field(schema, avro)
            return schema

        to_base = self._within(_adding(avro, replace=replace, exclusive=exclusive))
        check(self._client, self._base, base, to_base(base))
        self._check_tenants(avro, change)
        # A new field goes to the base first, so that a tenant's contract created in the meantime has it. A changed
        # field goes to the base last: until then, a repeated call knows which tenants remain.
        first = self._in_every_tenants(change) if was is not None else ()
        base_versions = self._amend(None, to_base, most_versions=self._limits.contract_versions)
        return first + base_versions + self._in_every_tenants(change)

    def _check_tenants(self, avro: Schema, change: Callable[[Schema], Schema]) -> None:
        """Raise FieldConflict, naming the tenant, if the registry would reject a tenant's changed contract.

        If a tenant has a field with this name but another type, it stays unchanged and is logged.
        """

        def differs_in(tenant: str) -> bool:
            own = self._own(tenant)
            if own is None or not _is_contract(own):
                return False
            schema = schema_of(own)
            try:
                if (wanted := change(schema)) != schema:
                    check(self._client, own.subject, schema, wanted)
            except (FieldConflict, InvalidInput) as error:
                raise FieldConflict(
                    f"The contract of the tenant {tenant} cannot have the field {avro['name']}: {error.message}",
                    field="name",
                    fix="Choose another name, or correct that tenant's contract.",
                ) from error
            here = own_field(schema, avro["name"])
            return here is not None and bool(conflict(here, avro))

        tenants = self._tenants()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            keep = [tenant for tenant, differs in zip(tenants, pool.map(differs_in, tenants), strict=True) if differs]
        if keep:
            get("structure").warning("structure.field_kept", field=avro["name"], tenants=keep[:_NAMED], count=len(keep))

    def _in_every_tenants(self, change: Callable[[Schema], Schema]) -> Registrations:
        """Change the contract of every tenant. Schemas in tenants' subjects that are not contracts stay unchanged."""

        def changed(tenant: str) -> Registrations:
            own = self._own(tenant)
            return self._amend(tenant, change) if own is not None and _is_contract(own) else ()

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return tuple(chain.from_iterable(pool.map(changed, self._tenants())))

    def _tenants(self) -> list[str]:
        """Return the tenants that have a contract of their own."""
        found = (tenant_of_subject(self._topic, subject) for subject in self._client.subjects())
        return sorted(tenant for tenant in found if tenant is not None)

    def _own(self, tenant: str) -> Registered | None:
        try:
            return self._client.latest(tenant_subject(self._topic, tenant))
        except SchemaNotFound:
            return None

    def _amend(
        self,
        tenant: str | None,
        change: Callable[[Schema], Schema],
        seed: Callable[[], Schema] | None = None,
        most_versions: int | None = None,
    ) -> Registrations:
        subject = self._base if tenant is None else tenant_subject(self._topic, tenant)
        done = amend(self._client, subject, change, seed=seed, most_versions=most_versions)
        return (Registration(tenant, subject, done.previous, done.version),) if done.changed else ()

    def _within(self, change: Callable[[Schema], Schema], base: Schema | None = None) -> Callable[[Schema], Schema]:
        """Return a change that is followed by a check of the limits. The fields of `base`, the environment's contract,
        are not counted.
        """
        environments = {avro["name"] for avro in own_fields(base)} if base else frozenset[str]()

        def checked(schema: Schema) -> Schema:
            wanted = change(schema)
            if wanted != schema:
                budget.check_contract(wanted, environments, self._limits)
            return wanted

        return checked


def contract_repository_of(settings: Settings, observe: Observe | None = None) -> Callable[[], ContractRepository]:
    """Return a function that returns the repository of this process. It raises RegistryUnavailable if no registry is
    configured.

    `observe` is called after every request to the registry.
    """

    @cache
    def contracts() -> ContractRepository:
        if not settings.registry_url:
            raise RegistryUnavailable(
                "No schema registry is configured for this service.", fix="Set AUDITLANE_REGISTRY_URL."
            )
        return ContractRepository(registry_client(settings, observe), settings.topic, settings)

    return contracts


def _adding(
    avro: Schema, *, replace: bool, exclusive: bool | None = None, keep: bool = False
) -> Callable[[Schema], Schema]:
    """Return a change that adds a field. With `keep`, an existing field with this name stays unchanged."""

    def change(schema: Schema) -> Schema:
        here = own_field(schema, avro["name"])
        if here is not None and (keep or same(here, avro)):
            as_wanted = exclusive is None or TenantContract.parse(json.dumps(schema)).exclusive == exclusive
            return schema if as_wanted else schema | {"exclusive": exclusive}
        if here is not None and not replace:
            raise FieldConflict(
                f"The contract already has a field {avro['name']} with another type, default or rules.",
                field="name",
                fix="Change it with PUT …/fields/{name}, or choose another name.",
            )
        if here is None and (other := alike(schema, avro["name"])):
            raise FieldConflict(
                f"There is a field {other}, whose name differs only in case.",
                field="name",
                fix=f"Choose another name; if {other} was removed, POST …/fields restores it.",
            )
        return with_field(schema, avro, exclusive=exclusive)

    return change


def schema_of(registered: Registered) -> Schema:
    """Parse a registered schema."""
    schema: Schema = json.loads(registered.schema)
    return schema


def _is_contract(registered: Registered) -> bool:
    try:
        TenantContract.parse(registered.schema)
    except InvalidInput:
        return False
    return True
