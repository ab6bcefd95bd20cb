"""Each action's OCSF class and activity. An entry applies up to version 1.8, and is followed by the one from version
1.9 if that differs.

Version 1.9 deprecates Account Change (3001) and User Access Management (3005). Activity 99 is *Other*: the class fits,
but none of its activities does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from auditlane.contract.vocabulary.action import OcsfClass

_LOGON: Final = OcsfClass(3002, 1)
_LOGOFF: Final = OcsfClass(3002, 2)
_ACCOUNT_SWITCH: Final = OcsfClass(3002, 7)
_ACCOUNT_OTHER: Final = OcsfClass(3001, 99)
_USER_UPDATE: Final = OcsfClass(3007, 2)
_ENTITY_CREATE: Final = OcsfClass(3004, 1)
_ENTITY_UPDATE: Final = OcsfClass(3004, 3)
_ENTITY_DELETE: Final = OcsfClass(3004, 4)
_ADD_TO_GROUP: Final = OcsfClass(3006, 3)
_REMOVE_FROM_GROUP: Final = OcsfClass(3006, 4)
_ASSIGN_PRIVILEGES: Final = OcsfClass(3005, 1)
_REVOKE_PRIVILEGES: Final = OcsfClass(3005, 2)
_APPLICATION_OTHER: Final = OcsfClass(6002, 99)
_APPLICATION_ERROR: Final = OcsfClass(6008, 1)
_API_CREATE: Final = OcsfClass(6003, 1)
_API_READ: Final = OcsfClass(6003, 2)
_API_OTHER: Final = OcsfClass(6003, 99)
_LOG_OTHER: Final = OcsfClass(1008, 99)

CLASSES: Final[Mapping[str, tuple[OcsfClass, ...]]] = {
    "user.login": (_LOGON,),
    "user.login_failed": (_LOGON,),
    "user.logout": (_LOGOFF,),
    "session.revoked": (_LOGOFF,),
    "user.locked": (OcsfClass(3001, 9), OcsfClass(3007, 6)),
    "user.unlocked": (OcsfClass(3001, 12), OcsfClass(3007, 7)),
    "user.impersonated": (_ACCOUNT_SWITCH,),
    "user.impersonation_ended": (_ACCOUNT_SWITCH,),
    "user.password_changed": (OcsfClass(3001, 3), OcsfClass(3007, 8)),
    "user.password_reset_requested": (_ACCOUNT_OTHER, OcsfClass(3007, 99)),
    "user.password_reset": (OcsfClass(3001, 4), OcsfClass(3007, 9)),
    "user.mfa_enrolled": (OcsfClass(3001, 10), OcsfClass(3007, 12)),
    "user.mfa_removed": (OcsfClass(3001, 11), OcsfClass(3007, 13)),
    "user.email_changed": (_ACCOUNT_OTHER, _USER_UPDATE),
    "user.email_verified": (_ACCOUNT_OTHER, _USER_UPDATE),
    "user.created": (OcsfClass(3001, 1), OcsfClass(3007, 1)),
    "user.updated": (_ACCOUNT_OTHER, _USER_UPDATE),
    "user.enabled": (OcsfClass(3001, 2), OcsfClass(3007, 4)),
    "user.disabled": (OcsfClass(3001, 5), OcsfClass(3007, 5)),
    "user.deleted": (OcsfClass(3001, 6), OcsfClass(3007, 3)),
    "user.invited": (_ENTITY_CREATE,),
    "invitation.accepted": (_ENTITY_UPDATE,),
    "invitation.revoked": (_ENTITY_DELETE,),
    "user.identity_linked": (_ACCOUNT_OTHER, _USER_UPDATE),
    "user.identity_unlinked": (_ACCOUNT_OTHER, _USER_UPDATE),
    "member.added": (_ADD_TO_GROUP,),
    "member.removed": (_REMOVE_FROM_GROUP,),
    "role.assigned": (_ASSIGN_PRIVILEGES, OcsfClass(3007, 16)),
    "role.removed": (_REVOKE_PRIVILEGES, OcsfClass(3007, 17)),
    "permission.granted": (_ASSIGN_PRIVILEGES, OcsfClass(3007, 14)),
    "permission.revoked": (_REVOKE_PRIVILEGES, OcsfClass(3007, 15)),
    "role.created": (_ENTITY_CREATE, OcsfClass(3008, 1)),
    "role.updated": (_ENTITY_UPDATE, OcsfClass(3008, 2)),
    "role.deleted": (_ENTITY_DELETE, OcsfClass(3008, 3)),
    "group.created": (OcsfClass(3006, 6),),
    "group.updated": (OcsfClass(3006, 99), OcsfClass(3006, 9)),
    "group.deleted": (OcsfClass(3006, 5),),
    "group.member_added": (_ADD_TO_GROUP,),
    "group.member_removed": (_REMOVE_FROM_GROUP,),
    "api_key.created": (_ENTITY_CREATE, OcsfClass(3007, 18)),
    "api_key.revoked": (_ENTITY_DELETE, OcsfClass(3007, 19)),
    "app.authorized": (_ASSIGN_PRIVILEGES, OcsfClass(3007, 14)),
    "app.revoked": (_REVOKE_PRIVILEGES, OcsfClass(3007, 15)),
    "sso.changed": (_ENTITY_UPDATE,),
    "directory.changed": (_ENTITY_UPDATE,),
    "domain.verified": (OcsfClass(3004, 10),),
    "policy.changed": (_ENTITY_UPDATE,),
    "settings.changed": (_ENTITY_UPDATE,),
    "tenant.created": (_ENTITY_CREATE,),
    "tenant.updated": (_ENTITY_UPDATE,),
    "tenant.deleted": (_ENTITY_DELETE,),
    "data.exported": (OcsfClass(6001, 7),),
    "data.imported": (OcsfClass(6001, 6),),
    "threat.detected": (OcsfClass(2004, 1),),
    "lag.detected": (_APPLICATION_ERROR,),
    "lag.cleared": (_APPLICATION_OTHER,),
    "delivery.delayed": (_APPLICATION_ERROR,),
    "delivery.recovered": (_APPLICATION_OTHER,),
    "events.dropped": (_APPLICATION_ERROR,),
    "events.refused": (_APPLICATION_ERROR,),
    "circuit_breaker.opened": (_APPLICATION_ERROR,),
    "circuit_breaker.closed": (_APPLICATION_OTHER,),
    "task.failed": (_APPLICATION_ERROR,),
    "task.retried": (_APPLICATION_ERROR,),
    "task.revoked": (_APPLICATION_OTHER,),
    "request.slow": (_API_OTHER,),
    "rate.limited": (_API_OTHER,),
    "service.started": (OcsfClass(6002, 3),),
    "service.stopped": (OcsfClass(6002, 4),),
    "worker.restarted": (OcsfClass(6002, 5),),
    "version.changed": (OcsfClass(6002, 8),),
    "schema.changed": (_ENTITY_UPDATE,),
    "retention.applied": (OcsfClass(1008, 2),),
    "events.replayed": (_LOG_OTHER,),
    "security.checked": (OcsfClass(6007, 2),),
    "certificate.expiring": (_APPLICATION_OTHER,),
    "certificate.renewed": (_APPLICATION_OTHER,),
    "key.expiring": (_APPLICATION_OTHER,),
    "key.renewed": (_APPLICATION_OTHER,),
    "disk.filling": (_APPLICATION_OTHER,),
    "disk.freed": (_APPLICATION_OTHER,),
    "access.denied": (_API_OTHER,),
    "audit_log.viewed": (_API_READ,),
    "audit_log.viewed_as_tenant": (_API_READ,),
    "audit_log.exported": (OcsfClass(1008, 3),),
    "export.requested": (_API_CREATE,),
    "export.removed": (OcsfClass(6003, 4),),
    "token.issued": (_LOGON,),
    "token.refused": (_LOGON,),
    "viewer_token.issued": (_ENTITY_CREATE,),
    "link.issued": (_ENTITY_CREATE,),
    "link.opened": (_LOGON,),
    "test_event.sent": (_API_CREATE,),
    "canary.sent": (_API_CREATE,),
    "saved_view.created": (_ENTITY_CREATE,),
    "saved_view.changed": (_ENTITY_UPDATE,),
    "saved_view.deleted": (_ENTITY_DELETE,),
    "structure.changed": (_ENTITY_UPDATE,),
    "audit_logs.enabled": (OcsfClass(1008, 9),),
    "audit_logs.disabled": (OcsfClass(1008, 10),),
    "key.created": (_ENTITY_CREATE,),
    "key.rotated": (_ENTITY_UPDATE,),
    "key.revoked": (_ENTITY_DELETE,),
    "signing_keys.rotated": (_ENTITY_UPDATE,),
    "provenance_keys.rotated": (_ENTITY_UPDATE,),
    "loss.accepted": (_LOG_OTHER,),
    "dead_letters.closed": (_LOG_OTHER,),
    "installation.viewed": (_API_READ,),
}
