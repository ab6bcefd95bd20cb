"""The operations on data structures, for the HTTP API and the command line.

The contract is changed before its presentation. Repeating a call completes an interrupted change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.contract.field_definition import FieldDefinition, FieldType, described, own_field
from auditlane.query.structure import actions, views
from auditlane.query.structure.contract_repository import ContractRepository, Registrations, schema_of
from auditlane.query.structure.views import ScopeState
from auditlane.runtime.errors import (
    Conflict,
    FieldConflict,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    RegistryRefused,
)
from auditlane.store import presentation
from auditlane.store.presentation import ENVIRONMENT, DisplayType, FieldView, NamedAction, Revision, tenant_scope
from auditlane.store.structure_cache import StructureCache

_ATTEMPTS: Final = 10
ANY: Final = "*"
_DISPLAYED_AS: Final = {FieldType.Integer: DisplayType.Number, FieldType.Enum: DisplayType.AlphaNumeric}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A caller's definition of a field. Attributes that are None stay unchanged.

    `view` contains the presentation attributes, and `without_default` removes the default.
    """

    name: str
    type: FieldType | None = None
    default: Any = None
    rules: Mapping[str, Any] | None = None
    exclusive: bool | None = None
    view: Mapping[str, Any] | None = None
    without_default: bool = False

    @property
    def of_contract(self) -> bool:
        """Whether the change concerns the contract and not only the presentation of the field."""
        stated = (self.type, self.default, self.rules, self.exclusive)
        return self.without_default or any(attribute is not None for attribute in stated)


@dataclass(frozen=True, slots=True)
class StructureChange:
    """A change, with the states before and after it. Both have the same revision if there was nothing to change.

    `registered` contains the contract versions that the change registered.
    """

    before: ScopeState
    after: ScopeState
    registered: Registrations = ()

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The changes as the history shows them."""
        return views.changes(self.before, self.after)

    @property
    def sequence(self) -> tuple[list[str], list[str]] | None:
        """The old and the new order of the fields as the history shows them, or None if the order has not changed."""
        return views.sequence(self.before, self.after)


Unfinished = Callable[[BaseException, Registrations], None]
"""Called with the error of a change that failed after it may have changed the contract, which must be recorded, and the
versions that were registered as far as known."""


def _ignore(_: BaseException, __: Registrations) -> None:
    """Record nothing."""


@dataclass(slots=True)
class _Contract:
    """The contract versions that a call registered, or None if they are not known yet."""

    registered: Registrations | None = None


class StructureService:
    """Changes the structure of the environment (`tenant=None`) or of a tenant.

    `etags` are the ETags that the caller read, or None to overwrite any revision. `unfinished` is called if a call
    fails although it may have changed the contract.

    Raises PreconditionFailed if the structure has changed since the caller read it, and the errors of the store and the
    registry.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        database: str,
        contracts: Callable[[], ContractRepository],
        book: StructureCache | None = None,
        *,
        registered: Callable[[str | None], None] = lambda tenant: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Store the dependencies. `registered(tenant)` is called if the tenant's contract may have been registered. The
        tenant is None for all tenants.
        """
        self._client = client
        self._database = database
        self.contracts = contracts
        self._book = book
        self._registered = registered
        self._now = now

    def state(self, tenant: str | None) -> ScopeState:
        """Return the scope's newest state."""
        scope = _scope(tenant)
        found = presentation.load_many(self._client(), self._database, {ENVIRONMENT, scope})
        return ScopeState(found[ENVIRONMENT], found[scope])

    def replace(
        self,
        tenant: str | None,
        *,
        fields: Sequence[tuple[str, Mapping[str, Any]]] | None,
        switch: tuple[bool | None] | None,
        etags: Sequence[str],
        who: str,
    ) -> StructureChange:
        """Set how fields are shown, and the switch. If either is None, it stays unchanged."""

        def new(state: ScopeState) -> Revision:
            own = state.own.fields if fields is None else views.replaced(state, fields)
            return state.own.model_copy(
                update={"fields": own, "enabled": switch[0] if switch else state.own.enabled, "changed_by": who}
            )

        return self._save(tenant, new, etags)

    def add(
        self,
        tenant: str | None,
        field_change: FieldChange,
        *,
        etags: Sequence[str] | None,
        who: str,
        unfinished: Unfinished = _ignore,
    ) -> StructureChange:
        """Add a field, or restore a removed one. Raises FieldConflict if the field exists with other attributes."""
        state = self._state_as_seen(tenant, etags)
        avro = FieldDefinition(
            field_change.name,
            field_change.type or FieldType.AlphaNumeric,
            field_change.default,
            field_change.rules or {},
        ).avro()
        here = state.fields.get(field_change.name)
        shown = here is not None and not here.hidden
        if shown and _view(state, field_change) != here:
            raise FieldConflict(
                f"The field {field_change.name} already exists.",
                field="name",
                fix="Change it with PUT …/fields/{name}, or choose another name.",
            )

        def new(state: ScopeState) -> Revision:
            fields = views.with_view(state, _view(state, field_change))
            return state.own.model_copy(update={"fields": fields, "changed_by": who})

        with self._registering(tenant, unfinished) as contract:
            contract.registered = self.contracts().add(
                tenant, avro, replace=not shown, exclusive=field_change.exclusive
            )
            return self._save(tenant, new, etags, registered=contract.registered)

    def change(
        self,
        tenant: str | None,
        field_change: FieldChange,
        *,
        etags: Sequence[str],
        who: str,
        unfinished: Unfinished = _ignore,
    ) -> StructureChange:
        """Change the contract and presentation of a field. Omitted attributes stay unchanged. Raises NotFound if there
        is no such field.
        """
        state = self._state_as_seen(tenant, etags)
        here = state.fields.get(field_change.name)
        if here is None or here.hidden or not here.custom:
            raise NotFound(f"There is no custom field {field_change.name}.", fix="Add it with POST …/fields.")

        def new(state: ScopeState) -> Revision:
            fields = views.with_view(state, _view(state, field_change))
            return state.own.model_copy(update={"fields": fields, "changed_by": who})

        if not field_change.of_contract:
            return self._save(tenant, new, etags)
        with self._registering(tenant, unfinished) as contract:
            avro = own_field(schema_of(self.contracts().of(tenant)), field_change.name)
            type_, was, rules = described(avro) if avro else (FieldType.AlphaNumeric, None, {})
            default = None if field_change.without_default else was
            definition = FieldDefinition(
                field_change.name,
                field_change.type or type_,
                default if field_change.default is None else field_change.default,
                rules if field_change.rules is None else field_change.rules,
            )
            contract.registered = self.contracts().add(
                tenant, definition.avro(), replace=True, exclusive=field_change.exclusive
            )
            return self._save(tenant, new, etags, registered=contract.registered)

    def remove(
        self,
        tenant: str | None,
        name: str,
        *,
        etags: Sequence[str] | None,
        who: str,
        unfinished: Unfinished = _ignore,
    ) -> StructureChange:
        """Hide a field and remove its rules. Its data is kept. Raises NotFound if there is no such field."""
        views.without_view(self._state_as_seen(tenant, etags), name)

        def new(state: ScopeState) -> Revision:
            return state.own.model_copy(update={"fields": views.without_view(state, name), "changed_by": who})

        with self._registering(tenant, unfinished) as contract:
            contract.registered = self.contracts().release(tenant, name)
            return self._save(tenant, new, etags, registered=contract.registered)

    def name_actions(
        self,
        given: Callable[[Sequence[NamedAction]], Sequence[NamedAction]],
        *,
        etags: Sequence[str] | None,
        who: str,
    ) -> StructureChange:
        """Add actions to the environment's catalogue, or give them other texts. Raises InvalidInput if there are too
        many.

        `given` is called with the environment's current actions, and returns the actions to store.
        """

        def new(state: ScopeState) -> Revision:
            own = actions.with_actions(state.own.actions, given(state.own.actions))
            return state.own.model_copy(update={"actions": own, "changed_by": who})

        return self._save(None, new, etags)

    def forget_action(self, name: str, *, etags: Sequence[str] | None, who: str) -> StructureChange:
        """Remove one of the environment's own actions. Raises NotFound if there is no such action."""

        def new(state: ScopeState) -> Revision:
            own = actions.without_action(state.own.actions, name)
            return state.own.model_copy(update={"actions": own, "changed_by": who})

        return self._save(None, new, etags)

    def history(self, tenant: str | None, *, limit: int, before: int | None = None) -> list[StructureChange]:
        """Return the newest revisions below `before`, newest first, each with the states before and after it."""
        scope = _scope(tenant)
        rows = presentation.history(self._client(), self._database, scope, limit=limit + 1, before=before)
        older = [*rows[1:], Revision(scope=scope)]
        pairs = list(zip(rows, older, strict=False))[:limit]  # the first revision has an empty predecessor
        if tenant is None:
            return [StructureChange(ScopeState(previous, previous), ScopeState(row, row)) for row, previous in pairs]
        times = [row.changed_at for row, _ in pairs if row.changed_at]
        below = presentation.as_of(self._client(), self._database, ENVIRONMENT, times)
        return [
            StructureChange(ScopeState(environment, previous), ScopeState(environment, row))
            for (row, previous), environment in zip(pairs, below, strict=True)
        ]

    @contextmanager
    def _registering(self, tenant: str | None, unfinished: Unfinished) -> Iterator[_Contract]:
        contract = _Contract()
        try:
            yield contract
        except BaseException as error:
            # these errors mean that nothing was registered
            refused = isinstance(error, (InvalidInput, Conflict, RegistryRefused))
            if contract.registered or (contract.registered is None and not refused):
                unfinished(error, contract.registered or ())
            raise
        finally:  # also after a failure, since the call may have registered a contract
            self._registered(tenant)

    def _state_as_seen(self, tenant: str | None, etags: Sequence[str] | None) -> ScopeState:
        state = self.state(tenant)
        if etags is not None and state.etag not in etags and ANY not in etags:
            raise PreconditionFailed(
                "The data structure has changed since it was read.", fix="Read it again, then repeat the change."
            )
        return state

    def _save(
        self,
        tenant: str | None,
        new: Callable[[ScopeState], Revision],
        etags: Sequence[str] | None,
        *,
        registered: Registrations = (),
    ) -> StructureChange:
        """Save `new(state)` if it differs from the state, or if versions were `registered`.

        If there are no `etags`, the call is retried after concurrent changes.
        """
        lost: Conflict | None = None
        for _ in range(_ATTEMPTS):
            state = self._state_as_seen(tenant, etags)
            wanted = new(state)
            saved_attributes = {"enabled", "fields", "actions"}
            if (
                wanted.model_dump(include=saved_attributes) == state.own.model_dump(include=saved_attributes)
                and not registered
            ):
                return StructureChange(state, state)
            try:
                saved = presentation.save(self._client(), self._database, state.own, wanted, now=self._now())
            except Conflict as error:
                lost = error
                if etags is not None and ANY not in etags:
                    raise PreconditionFailed(error.message, fix=error.fix) from error
                continue
            if self._book is not None:
                self._book.forget(tenant)
            return StructureChange(state, ScopeState(saved if tenant is None else state.environment, saved), registered)
        raise lost or Conflict("Too many concurrent changes to the structure.")


def _scope(tenant: str | None) -> str:
    return ENVIRONMENT if tenant is None else tenant_scope(tenant)


def _content(revision: Revision) -> tuple[object, ...]:
    return revision.enabled, revision.fields, revision.actions


def _view(state: ScopeState, field_change: FieldChange) -> FieldView:
    """Return the presentation of the field. Each attribute has the given value, the current one, or the default, in
    this order.
    """
    here, stated = state.fields.get(field_change.name), dict(field_change.view or {})
    if field_change.type is not None and "display_type" not in stated:
        stated["display_type"] = _DISPLAYED_AS.get(field_change.type) or DisplayType(field_change.type.value)
    if here is not None and not here.hidden:
        return here.model_copy(update=stated)
    label = here.display_name if here else field_change.name.replace("_", " ").strip().capitalize() or field_change.name
    order = here.order if here else views.next_order(state)
    return FieldView.model_validate({"name": field_change.name, "display_name": label, "order": order} | stated)
