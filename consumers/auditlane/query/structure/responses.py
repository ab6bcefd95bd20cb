"""Converts states, contracts and revisions to responses of the API."""

from __future__ import annotations

import json
from typing import Any

from auditlane.contract.field_definition import described, own_fields
from auditlane.contract.registry import Registered
from auditlane.contract.sentence import grammar_json
from auditlane.contract.tenant_contract import TenantContract
from auditlane.contract.vocabulary.labels import LABELS
from auditlane.query.structure import actions
from auditlane.query.structure.models import (
    Catalogue,
    CatalogueAction,
    CatalogueLabel,
    Change,
    Contract,
    ContractField,
    DataStructure,
    FieldPresentation,
    History,
    LanguageGrammar,
    RevisionChanges,
    StructureField,
)
from auditlane.query.structure.service import StructureChange
from auditlane.query.structure.views import ScopeState
from auditlane.store.presentation import ENVIRONMENT, ActionLabel, FieldView


def structure(state: ScopeState) -> DataStructure:
    """Describe a scope's state."""
    own, fields, below = state.own, list(state.fields.values()), state.below
    return DataStructure(
        tenant=None if own.scope == ENVIRONMENT else own.scope.partition(":")[2],
        revision=own.revision,
        enabled=own.enabled,
        effective_enabled=state.enabled,
        inherited_enabled=state.inherited_enabled,
        fields=[_field(state, view, below.get(view.name)) for view in fields if not view.hidden],
        removed=[_field(state, view, below.get(view.name)) for view in fields if view.hidden],
        changed_by=own.changed_by,
        changed_at=own.changed_at,
    )


def catalogue(state: ScopeState) -> Catalogue:
    """Describe the actions that have a label for readers in the scope."""
    return Catalogue(
        actions=[
            CatalogueAction(
                name=action.name,
                label=CatalogueLabel(**action.label.model_dump()),
                own=own,
                built_in=action.name in LABELS,
                sentence=_label(action.sentence),
                attempted=_label(action.attempted),
            )
            for action, own in actions.catalogue(state.environment.actions)
        ],
        grammar={language: LanguageGrammar(**words) for language, words in grammar_json().items()},
    )


def _label(text: ActionLabel | None) -> CatalogueLabel | None:
    return None if text is None else CatalogueLabel(**text.model_dump())


def contract(registered: Registered, state: ScopeState) -> Contract:
    """Describe the contract for events."""
    views = state.fields
    return Contract(
        subject=registered.subject,
        version=registered.version,
        schema_id=registered.schema_id,
        exclusive=TenantContract.parse(registered.schema).exclusive,
        fields=[_contract_field(avro, views.get(avro["name"])) for avro in own_fields(json.loads(registered.schema))],
    )


def history(revisions: list[StructureChange], limit: int) -> History:
    """Return a page of revisions. Revisions are numbered from 1."""
    data = [_revision(change) for change in revisions]
    more = len(data) == limit and data[-1].revision > 1
    return History(data=data, next=data[-1].revision if more else None)


def _revision(change: StructureChange) -> RevisionChanges:
    own, changes, sequence = change.after.own, change.changes, change.sequence
    named = {entry["field"] for entry in changes} | {name for names in sequence or () for name in names}
    fields = change.before.fields | change.after.fields
    return RevisionChanges(
        revision=own.revision,
        changed_by=own.changed_by,
        changed_at=own.changed_at,
        changes=[Change(**entry) for entry in changes],
        sequence=sequence,
        labels={name: view.display_name for name, view in fields.items() if name in named},
    )


def _field(state: ScopeState, view: FieldView, below: FieldView | None) -> StructureField:
    return StructureField(
        **view.model_dump(exclude={"hidden"}),
        custom=view.custom,
        parameter=view.parameter,
        origin=state.origin(view.name),
        inherited=FieldPresentation(**below.model_dump(exclude={"name", "hidden"}))
        if below and not below.hidden
        else None,
    )


def _contract_field(avro: dict[str, Any], view: FieldView | None) -> ContractField:
    type_, default, rules = described(avro)
    return ContractField(
        name=avro["name"],
        type=type_,
        default=default,
        rules=rules,
        shown=view is not None and not view.hidden,
        display_name=view.display_name if view else None,
    )
