"""The vocabulary of actions that many applications record. Each action has suitable metadata, a severity and an
outcome.

`ACTIONS` maps names to definitions (`action`). There is one module per subject. `ocsf` and `vendors` relate the actions
to the names used by other products. Any other action is equally valid: the vocabulary is a recommendation, and events
are not checked against it.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from auditlane.contract.vocabulary import administration, maintenance, own_trail, performance, users
from auditlane.contract.vocabulary.action import Action, Group, MetadataKey, OcsfClass, Vendor
from auditlane.contract.vocabulary.ocsf import CLASSES
from auditlane.contract.vocabulary.own_trail import ACCESS_ACTIONS
from auditlane.contract.vocabulary.vendors import VENDOR_NAMES

__all__ = ["ACCESS_ACTIONS", "ACTIONS", "Action", "Group", "MetadataKey", "OcsfClass", "Vendor"]


def _completed(action: Action) -> Action:
    classes = CLASSES.get(action.name)
    return replace(
        action,
        ocsf_1_8=classes[0] if classes else None,
        ocsf_1_9=classes[-1] if classes else None,
        aliases=VENDOR_NAMES.get(action.name, {}),
    )


ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        action.name: _completed(action)
        for module in (users, administration, performance, maintenance, own_trail)
        for action in module.DEFINITIONS
    }
)
