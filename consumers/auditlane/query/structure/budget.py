"""Limits the size of contracts that are changed over the API. Each limit is a setting and is checked before
registration.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from auditlane.contract.field_definition import own_fields
from auditlane.runtime.errors import InvalidInput
from auditlane.runtime.settings import ContractSettings

Schema = dict[str, Any]


def check_field(avro: Mapping[str, Any], budget: ContractSettings) -> None:
    """Raise InvalidInput for a field whose rules and default are too large."""
    choices = len(avro.get("oneOf") or ())
    if choices > budget.contract_choices:
        raise InvalidInput(
            f"rules: `oneOf` lists {choices} values (limit {budget.contract_choices}).",
            field="rules",
            fix="Use a `pattern`, or no rule. An operator can raise AUDITLANE_CONTRACT_CHOICES.",
        )
    size = _size(avro)
    if size > budget.contract_rules_bytes:
        raise InvalidInput(
            f"rules: the field with its rules and default takes up {size} bytes of JSON (limit "
            f"{budget.contract_rules_bytes}).",
            field="rules",
            fix="Shorten the values or the default. An operator can raise AUDITLANE_CONTRACT_RULES_BYTES.",
        )


def check_contract(schema: Schema, environments: Collection[str], budget: ContractSettings) -> None:
    """Raise InvalidInput for a contract with too many custom fields, or with custom fields that are too large.

    `environments` contains the names of the environment's fields. They are not counted, since every tenant's contract
    has them.
    """
    own = [avro for avro in own_fields(schema) if avro["name"] not in environments]
    if len(own) > budget.contract_fields:
        raise InvalidInput(
            f"name: the contract would have {len(own)} custom fields (limit {budget.contract_fields}).",
            field="name",
            fix="Use metadata for the value. An operator can raise AUDITLANE_CONTRACT_FIELDS.",
        )
    size = _size(own)
    if size > budget.contract_bytes:
        raise InvalidInput(
            f"name: the contract's custom fields would take up {size} bytes of JSON (limit {budget.contract_bytes}).",
            field="name",
            fix="Remove rules that list many values. An operator can raise AUDITLANE_CONTRACT_BYTES.",
        )


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
