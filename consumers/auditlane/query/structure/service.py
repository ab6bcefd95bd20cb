"""What can be done with a data structure, over HTTP and at the command line.

A change of the contract comes before that of its presentation, and may be repeated: whatever was cut short in between
is finished by the same call again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.contract.field_definition import FieldDefinition, FieldType, described, own_field
from auditlane.query.structure import views
from auditlane.query.structure.contract_repository import ContractRepository, schema_of
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
from auditlane.store.presentation import ENVIRONMENT, DisplayType, FieldView, Revision, tenant_scope
from auditlane.store.structure_cache import StructureCache

_ATTEMPTS: Final = 10
ANY: Final = "*"
_DISPLAYED_AS: Final = {FieldType.Integer: DisplayType.Number, FieldType.Enum: DisplayType.AlphaNumeric}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field as a caller states it; None is: not said. `view` has what is said of how it is shown, and
    `without_default` that there is to be no default."""

    name: str
    type: FieldType | None = None
    default: Any = None
    rules: Mapping[str, Any] | None = None
    exclusive: bool | None = None
    view: Mapping[str, Any] | None = None
    without_default: bool = False

    @property
    def of_contract(self) -> bool:
        """Whether anything is said of what the field must be."""
        said = (self.type, self.default, self.rules, self.exclusive)
        return self.without_default or any(one is not None for one in said)


@dataclass(frozen=True, slots=True)
class StructureChange:
    """A change: the state before and after it. Equal revisions: there was nothing to change."""

    before: ScopeState
    after: ScopeState

    @property
    def changes(self) -> list[dict[str, Any]]:
        """As in the history."""
        return views.changes(self.before, self.after)

    @property
    def sequence(self) -> tuple[list[str], list[str]] | None:
        """As in the history."""
        return views.sequence(self.before, self.after)


Unfinished = Callable[[BaseException], None]
"""Told that a change failed though it may have changed the contract already: it is in force, and is to be recorded."""


def _ignore(_: BaseException) -> None:
    """For who records nothing."""


@dataclass(slots=True)
class _Contract:
    """Whether a call has changed the contract; None while that is not known."""

    changed: bool | None = None


class StructureService:
    """For the environment (`tenant=None`) or a tenant. `etags` are those that the caller saw; None does not care.
    `unfinished` is told of a call that fails when it may have changed the contract already.

    Raises PreconditionFailed when the structure is not what the caller saw, and what the store and the registry raise.
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
        """`registered(tenant)` is called when something may have been registered for the tenant, or for everybody."""
        self._client = client
        self._database = database
        self.contracts = contracts
        self._book = book
        self._registered = registered
        self._now = now

    def state(self, tenant: str | None) -> ScopeState:
        """The newest state."""
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
        """State how fields are shown, and the switch; None leaves them as they are."""

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
        """Add a field, or a removed one again. Raises FieldConflict when it is there in another form."""
        state = self._state_as_seen(tenant, etags)
        avro = FieldDefinition(
            field_change.name,
            field_change.type or FieldType.AlphaNumeric,
            field_change.default,
            field_change.rules or {},
        ).avro()
        here = state.fields.get(field_change.name)
        there = here is not None and not here.hidden
        if there and _view(state, field_change) != here:
            raise FieldConflict(
                f"There is a field {field_change.name} already.",
                field="name",
                fix="Change it with PUT …/fields/{name}, or choose another name.",
            )

        def new(state: ScopeState) -> Revision:
            fields = views.with_view(state, _view(state, field_change))
            return state.own.model_copy(update={"fields": fields, "changed_by": who})

        with self._registering(tenant, unfinished) as contract:
            contract.changed = self.contracts().add(tenant, avro, replace=not there, exclusive=field_change.exclusive)
            return self._save(tenant, new, etags, even_so=contract.changed)

    def change(
        self,
        tenant: str | None,
        field_change: FieldChange,
        *,
        etags: Sequence[str],
        who: str,
        unfinished: Unfinished = _ignore,
    ) -> StructureChange:
        """Change what a field must be and how it is shown; what is not said stays. Raises NotFound."""
        state = self._state_as_seen(tenant, etags)
        here = state.fields.get(field_change.name)
        if here is None or here.hidden or not here.custom:
            raise NotFound(f"There is no field {field_change.name} that was added.", fix="POST …/fields adds one.")

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
            contract.changed = self.contracts().add(
                tenant, definition.avro(), replace=True, exclusive=field_change.exclusive
            )
            return self._save(tenant, new, etags, even_so=contract.changed)

    def remove(
        self,
        tenant: str | None,
        name: str,
        *,
        etags: Sequence[str] | None,
        who: str,
        unfinished: Unfinished = _ignore,
    ) -> StructureChange:
        """Hide a field and demand nothing of it any more; its data stays. Raises NotFound."""
        views.without_view(self._state_as_seen(tenant, etags), name)

        def new(state: ScopeState) -> Revision:
            return state.own.model_copy(update={"fields": views.without_view(state, name), "changed_by": who})

        with self._registering(tenant, unfinished) as contract:
            contract.changed = self.contracts().release(tenant, name)
            return self._save(tenant, new, etags, even_so=contract.changed)

    def history(self, tenant: str | None, *, limit: int, before: int | None = None) -> list[StructureChange]:
        """The newest revisions below `before`, newest first, each with the state before and after it."""
        scope = _scope(tenant)
        rows = presentation.history(self._client(), self._database, scope, limit=limit + 1, before=before)
        older = [*rows[1:], Revision(scope=scope)]
        pairs = list(zip(rows, older, strict=False))[:limit]  # what precedes the first is nothing
        if tenant is None:
            return [StructureChange(ScopeState(previous, previous), ScopeState(row, row)) for row, previous in pairs]
        times = [row.changed_at for row, _ in pairs if row.changed_at]
        below = presentation.as_of(self._client(), self._database, ENVIRONMENT, times)
        return [
            StructureChange(ScopeState(one, previous), ScopeState(one, row))
            for (row, previous), one in zip(pairs, below, strict=True)
        ]

    @contextmanager
    def _registering(self, tenant: str | None, unfinished: Unfinished) -> Iterator[_Contract]:
        contract = _Contract()
        try:
            yield contract
        except BaseException as error:
            refused = isinstance(error, (InvalidInput, Conflict, RegistryRefused))  # then nothing was registered
            if contract.changed or (contract.changed is None and not refused):
                unfinished(error)
            raise
        finally:  # what fails half-way may have registered something too
            self._registered(tenant)

    def _state_as_seen(self, tenant: str | None, etags: Sequence[str] | None) -> ScopeState:
        state = self.state(tenant)
        if etags is not None and state.etag not in etags and ANY not in etags:
            raise PreconditionFailed(
                "The structure is not what it was when it was read.", fix="Read it again, then repeat the change."
            )
        return state

    def _save(
        self,
        tenant: str | None,
        new: Callable[[ScopeState], Revision],
        etags: Sequence[str] | None,
        *,
        even_so: bool = False,
    ) -> StructureChange:
        """Save `new(what is there)`, if that differs or `even_so`. Who did not say what they saw try until they win."""
        lost: Conflict | None = None
        for _ in range(_ATTEMPTS):
            state = self._state_as_seen(tenant, etags)
            wanted = new(state)
            same = (wanted.enabled, wanted.fields) == (state.own.enabled, state.own.fields)
            if same and not even_so:
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
            return StructureChange(state, ScopeState(saved if tenant is None else state.environment, saved))
        raise lost or Conflict("The structure is changed by many at once.")


def _scope(tenant: str | None) -> str:
    return ENVIRONMENT if tenant is None else tenant_scope(tenant)


def _view(state: ScopeState, field_change: FieldChange) -> FieldView:
    """How the field is to be shown: what is said, else what is known of it, else the defaults."""
    here, said = state.fields.get(field_change.name), dict(field_change.view or {})
    if field_change.type is not None and "display_type" not in said:
        said["display_type"] = _DISPLAYED_AS.get(field_change.type) or DisplayType(field_change.type.value)
    if here is not None and not here.hidden:
        return here.model_copy(update=said)
    label = here.display_name if here else field_change.name.replace("_", " ").strip().capitalize() or field_change.name
    order = here.order if here else views.next_order(state)
    return FieldView.model_validate({"name": field_change.name, "display_name": label, "order": order} | said)
