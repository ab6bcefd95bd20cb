"""The methods of known actions, a class for each noun. Generated from the vocabulary by `make actions`; do not edit."""

from __future__ import annotations

from typing import Literal, Unpack

from auditlane.sdk.event_fields import EventFields
from auditlane.sdk.known_action import KnownActions, Number, Texts, Time, masked_changes


class ApiKeyActions(KnownActions):
    """Emits the actions whose names start with `api_key.`."""

    __slots__ = ()

    def created(self, *, name: str, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `api_key.created`: an API key, access token or client credential was created. The event never
        contains the key.

        Args:
            name: Name of the object, for readers.
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("api_key.created", "success", "Medium", "api_key", {"name": name, "scopes": scopes}, event)

    def revoked(self, *, name: str, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `api_key.revoked`: an API key, access token or client credential was revoked.

        Args:
            name: Name of the object, for readers.
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("api_key.revoked", "success", "Medium", "api_key", {"name": name, "scopes": scopes}, event)


class AppActions(KnownActions):
    """Emits the actions whose names start with `app.`."""

    __slots__ = ()

    def authorized(self, *, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `app.authorized`: a user gave an application access to their account.

        Args:
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("app.authorized", "success", "Low", "app", {"scopes": scopes}, event)

    def revoked(self, *, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `app.revoked`: the access of an application to an account was revoked.

        Args:
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("app.revoked", "success", "Low", "app", {"scopes": scopes}, event)


class CertificateActions(KnownActions):
    """Emits the actions whose names start with `certificate.`."""

    __slots__ = ()

    def expiring(self, *, at: Time, left: str, **event: Unpack[EventFields]) -> str:
        """Emit `certificate.expiring`: a certificate expires soon. Use severity `High` if little time remains.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("certificate.expiring", "failure", "Medium", "certificate", {"at": at, "left": left}, event)

    def renewed(self, *, at: Time | None = None, left: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `certificate.renewed`: a certificate that was about to expire was renewed.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("certificate.renewed", "success", "Info", "certificate", {"at": at, "left": left}, event)


class CircuitBreakerActions(KnownActions):
    """Emits the actions whose names start with `circuit_breaker.`."""

    __slots__ = ()

    def opened(
        self,
        *,
        code: str,
        count: Number,
        since: Time | None = None,
        partitions: Texts | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `circuit_breaker.opened`: partitions of a topic were halted because too many of their messages were
        rejected.

        Args:
            code: The code of the error.
            count: Number of events.
            since: When this state began.
            partitions: The numbers of the partitions.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "circuit_breaker.opened",
            "failure",
            "High",
            "topic",
            {"code": code, "count": count, "since": since, "partitions": partitions},
            event,
        )

    def closed(self, *, code: str, count: Number, since: Time | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `circuit_breaker.closed`: a topic no longer has partitions that are halted because of rejected
        messages.

        Args:
            code: The code of the error.
            count: Number of events.
            since: When this state began.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "circuit_breaker.closed",
            "success",
            "Medium",
            "topic",
            {"code": code, "count": count, "since": since},
            event,
        )


class DataActions(KnownActions):
    """Emits the actions whose names start with `data.`."""

    __slots__ = ()

    def exported(self, *, rows: Number, format: str, **event: Unpack[EventFields]) -> str:
        """Emit `data.exported`: data was exported. The resource identifies the data.

        Args:
            rows: Number of rows.
            format: The format, such as `csv`.
            event: Further fields, as in `emit`.
        """
        return self._emit("data.exported", "success", "Medium", "data", {"rows": rows, "format": format}, event)

    def imported(self, *, rows: Number, format: str, **event: Unpack[EventFields]) -> str:
        """Emit `data.imported`: data was imported. The resource identifies the data.

        Args:
            rows: Number of rows.
            format: The format, such as `csv`.
            event: Further fields, as in `emit`.
        """
        return self._emit("data.imported", "success", "Medium", "data", {"rows": rows, "format": format}, event)


class DeliveryActions(KnownActions):
    """Emits the actions whose names start with `delivery.`."""

    __slots__ = ()

    def delayed(self, *, spooled: Number, since: Time, **event: Unpack[EventFields]) -> str:
        """Emit `delivery.delayed`: Kafka is unavailable to a service, which keeps its events on disk.

        Args:
            spooled: Number of events on disk.
            since: When this state began.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "delivery.delayed", "failure", "Medium", "service", {"spooled": spooled, "since": since}, event
        )

    def recovered(self, *, spooled: Number, since: Time, **event: Unpack[EventFields]) -> str:
        """Emit `delivery.recovered`: a service has delivered all events that it kept on disk.

        Args:
            spooled: Number of events on disk.
            since: When this state began.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "delivery.recovered", "success", "Info", "service", {"spooled": spooled, "since": since}, event
        )


class DirectoryActions(KnownActions):
    """Emits the actions whose names start with `directory.`."""

    __slots__ = ()

    def changed(self, *, change: Literal["created", "updated", "deleted"], **event: Unpack[EventFields]) -> str:
        """Emit `directory.changed`: a directory that provisions users was connected, changed or disconnected.

        Args:
            change: What was done to it.
            event: Further fields, as in `emit`.
        """
        return self._emit("directory.changed", "success", "Medium", "directory", {"change": change}, event)


class DiskActions(KnownActions):
    """Emits the actions whose names start with `disk.`."""

    __slots__ = ()

    def filling(
        self, *, left: str, at: Time | None = None, total: str | None = None, **event: Unpack[EventFields]
    ) -> str:
        """Emit `disk.filling`: a disk will be full soon. Use severity `High` if little space remains.

        Args:
            left: What remains, such as `6 days` or `4 GiB`.
            at: When it expires or is full.
            total: Size of the disk, such as `1.8 TiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("disk.filling", "failure", "Medium", "disk", {"left": left, "at": at, "total": total}, event)

    def freed(self, *, left: str, total: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `disk.freed`: a disk that was nearly full has space again.

        Args:
            left: What remains, such as `6 days` or `4 GiB`.
            total: Size of the disk, such as `1.8 TiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("disk.freed", "success", "Info", "disk", {"left": left, "total": total}, event)


class DomainActions(KnownActions):
    """Emits the actions whose names start with `domain.`."""

    __slots__ = ()

    def verified(self, **event: Unpack[EventFields]) -> str:
        """Emit `domain.verified`: a tenant proved that a domain is theirs."""
        return self._emit("domain.verified", "success", "Low", "domain", {}, event)


class EventsActions(KnownActions):
    """Emits the actions whose names start with `events.`."""

    __slots__ = ()

    def dropped(self, *, count: Number, since: Time, until: Time, cause: str, **event: Unpack[EventFields]) -> str:
        """Emit `events.dropped`: events were lost because there was no space for them, their process was killed, or
        their file is corrupt.

        Args:
            count: Number of events.
            since: Time of the first lost event.
            until: Time of the last lost event.
            cause: Why they were lost.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "events.dropped",
            "failure",
            "Critical",
            "service",
            {"count": count, "since": since, "until": until, "cause": cause},
            event,
        )

    def refused(
        self,
        *,
        code: str,
        count: Number,
        since: Time | None = None,
        until: Time | None = None,
        via: Literal["kafka", "http"] | None = None,
        instance: str | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `events.refused`: events broke their contract and were rejected. There is one event an hour for each
        code.

        Args:
            code: The code of the error.
            count: Number of events.
            since: Start of the hour.
            until: End of the hour.
            via: How they were sent.
            instance: The process that refused them over HTTP.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "events.refused",
            "failure",
            "Medium",
            "topic",
            {"code": code, "count": count, "since": since, "until": until, "via": via, "instance": instance},
            event,
        )

    def replayed(
        self,
        *,
        rows: Number,
        older_than: Time,
        topic: str | None = None,
        target: str | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `events.replayed`: messages were sent again.

        Args:
            rows: Number of events.
            older_than: Time before which messages were sent.
            topic: Where the messages were read.
            target: Where they were sent, if not to their own topic.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "events.replayed",
            "success",
            "Medium",
            "log",
            {"rows": rows, "older_than": older_than, "topic": topic, "target": target},
            event,
        )


class GroupActions(KnownActions):
    """Emits the actions whose names start with `group.`."""

    __slots__ = ()

    def created(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.created`: a group was created.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.created", "success", "Low", "group", {"name": name}, event)

    def updated(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.updated`: the definition of a group was changed.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.updated", "success", "Low", "group", {"name": name}, event)

    def deleted(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.deleted`: a group was deleted.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.deleted", "success", "Low", "group", {"name": name}, event)

    def member_added(self, *, user: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.member_added`: a user was added to a group.

        Args:
            user: Id of the member.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.member_added", "success", "Low", "group", {"user": user}, event)

    def member_removed(self, *, user: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.member_removed`: a user was removed from a group.

        Args:
            user: Id of the member.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.member_removed", "success", "Low", "group", {"user": user}, event)


class InvitationActions(KnownActions):
    """Emits the actions whose names start with `invitation.`."""

    __slots__ = ()

    def accepted(self, *, email: str, roles: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `invitation.accepted`: an invitation was accepted.

        Args:
            email: The invited address. Recorded masked, unless the client hashes it.
            roles: The roles that the user is to have.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "invitation.accepted",
            "success",
            "Low",
            "invitation",
            {"email": email, "roles": roles},
            event,
            masks=("email",),
        )

    def revoked(self, *, email: str, roles: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `invitation.revoked`: an invitation was withdrawn.

        Args:
            email: The invited address. Recorded masked, unless the client hashes it.
            roles: The roles that the user is to have.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "invitation.revoked",
            "success",
            "Low",
            "invitation",
            {"email": email, "roles": roles},
            event,
            masks=("email",),
        )


class KeyActions(KnownActions):
    """Emits the actions whose names start with `key.`."""

    __slots__ = ()

    def expiring(self, *, at: Time, left: str, **event: Unpack[EventFields]) -> str:
        """Emit `key.expiring`: a key expires soon. Use severity `High` if little time remains.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("key.expiring", "failure", "Medium", "key", {"at": at, "left": left}, event)

    def renewed(self, *, at: Time | None = None, left: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `key.renewed`: a key that was about to expire was renewed.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("key.renewed", "success", "Info", "key", {"at": at, "left": left}, event)


class LagActions(KnownActions):
    """Emits the actions whose names start with `lag.`."""

    __slots__ = ()

    def detected(
        self,
        *,
        seconds: Number,
        events: Number,
        since: Time,
        partitions: Texts | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `lag.detected`: events have been waiting too long to be stored. Use severity `High` above ten times
        the limit.

        Args:
            seconds: Age of the oldest event that is not stored, in seconds.
            events: Number of events that are not stored.
            since: When this state began.
            partitions: The numbers of the partitions.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "lag.detected",
            "failure",
            "Medium",
            "partition",
            {"seconds": seconds, "events": events, "since": since, "partitions": partitions},
            event,
        )

    def cleared(
        self,
        *,
        seconds: Number,
        events: Number,
        since: Time,
        partitions: Texts | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `lag.cleared`: events are stored without undue delay again.

        Args:
            seconds: Age of the oldest event that is not stored, in seconds.
            events: Number of events that are not stored.
            since: When this state began.
            partitions: The numbers of the partitions.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "lag.cleared",
            "success",
            "Info",
            "partition",
            {"seconds": seconds, "events": events, "since": since, "partitions": partitions},
            event,
        )


class MemberActions(KnownActions):
    """Emits the actions whose names start with `member.`."""

    __slots__ = ()

    def added(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `member.added`: a user joined the tenant.

        Args:
            via: How it happened, such as `admin`, `invite` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("member.added", "success", "Low", "user", {"via": via}, event)

    def removed(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `member.removed`: a user left the tenant, or was removed from it.

        Args:
            via: How it happened, such as `admin`, `invite` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("member.removed", "success", "Medium", "user", {"via": via}, event)


class PermissionActions(KnownActions):
    """Emits the actions whose names start with `permission.`."""

    __slots__ = ()

    def granted(self, *, permission: str, **event: Unpack[EventFields]) -> str:
        """Emit `permission.granted`: a permission was granted directly, without a role.

        Args:
            permission: Name of the permission.
            event: Further fields, as in `emit`.
        """
        return self._emit("permission.granted", "success", "Medium", "user", {"permission": permission}, event)

    def revoked(self, *, permission: str, **event: Unpack[EventFields]) -> str:
        """Emit `permission.revoked`: a permission that had been granted directly was revoked.

        Args:
            permission: Name of the permission.
            event: Further fields, as in `emit`.
        """
        return self._emit("permission.revoked", "success", "Medium", "user", {"permission": permission}, event)


class PolicyActions(KnownActions):
    """Emits the actions whose names start with `policy.`."""

    __slots__ = ()

    def changed(self, *, section: str, **event: Unpack[EventFields]) -> str:
        """Emit `policy.changed`: a password, second-factor, session or address policy was changed. `before` and
        `after` contain its values.

        Args:
            section: The part that was changed, such as `password` or `billing`.
            event: Further fields, as in `emit`.
        """
        return self._emit("policy.changed", "success", "High", "policy", {"section": section}, event)


class RateActions(KnownActions):
    """Emits the actions whose names start with `rate.`."""

    __slots__ = ()

    def limited(self, **event: Unpack[EventFields]) -> str:
        """Emit `rate.limited`: requests were refused because a caller sent too many."""
        return self._emit("rate.limited", "failure", "Low", "route", {}, event)


class RequestActions(KnownActions):
    """Emits the actions whose names start with `request.`."""

    __slots__ = ()

    def slow(self, *, duration_ms: Number, **event: Unpack[EventFields]) -> str:
        """Emit `request.slow`: a request took longer than its limit.

        Args:
            duration_ms: Duration in milliseconds.
            event: Further fields, as in `emit`.
        """
        return self._emit("request.slow", "failure", "Low", "route", {"duration_ms": duration_ms}, event)


class RetentionActions(KnownActions):
    """Emits the actions whose names start with `retention.`."""

    __slots__ = ()

    def applied(self, *, rows: Number, older_than: Time, **event: Unpack[EventFields]) -> str:
        """Emit `retention.applied`: events older than the retention period were deleted.

        Args:
            rows: Number of events.
            older_than: Time before which events were deleted.
            event: Further fields, as in `emit`.
        """
        return self._emit("retention.applied", "success", "Low", "log", {"rows": rows, "older_than": older_than}, event)


class RoleActions(KnownActions):
    """Emits the actions whose names start with `role.`."""

    __slots__ = ()

    def assigned(self, *, role: str, scope: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `role.assigned`: a role was assigned to a user, group or client. Use severity `High` for a
        privileged role.

        Args:
            role: Name of the role.
            scope: What the role is limited to, such as a project.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.assigned", "success", "Medium", "user", {"role": role, "scope": scope}, event)

    def removed(self, *, role: str, scope: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `role.removed`: a role was removed from a user, group or client. Use severity `High` for a
        privileged role.

        Args:
            role: Name of the role.
            scope: What the role is limited to, such as a project.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.removed", "success", "Medium", "user", {"role": role, "scope": scope}, event)

    def created(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `role.created`: a role was created.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.created", "success", "Medium", "role", {"name": name}, event)

    def updated(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `role.updated`: the definition of a role was changed.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.updated", "success", "Medium", "role", {"name": name}, event)

    def deleted(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `role.deleted`: a role was deleted.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.deleted", "success", "Medium", "role", {"name": name}, event)


class SchemaActions(KnownActions):
    """Emits the actions whose names start with `schema.`."""

    __slots__ = ()

    def changed(self, *, previous: str, version: str, **event: Unpack[EventFields]) -> str:
        """Emit `schema.changed`: a version of a contract was registered.

        Args:
            previous: The version before.
            version: The version that was registered.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "schema.changed", "success", "Low", "schema", {"previous": previous, "version": version}, event
        )


class SecurityActions(KnownActions):
    """Emits the actions whose names start with `security.`."""

    __slots__ = ()

    def checked(
        self,
        *,
        findings: Number,
        critical: Number,
        version: str,
        codes: Texts | None = None,
        not_made: Texts | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `security.checked`: the security of an installation was checked. The outcome is `failure` if there
        are serious findings.

        Args:
            findings: Number of findings.
            critical: Number of critical findings.
            version: The version that is running.
            codes: The codes of the findings.
            not_made: The names of checks that were not made.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "security.checked",
            "success",
            "Info",
            "installation",
            {"findings": findings, "critical": critical, "version": version, "codes": codes, "not_made": not_made},
            event,
        )


class ServiceActions(KnownActions):
    """Emits the actions whose names start with `service.`."""

    __slots__ = ()

    def started(self, *, version: str, instance: str, **event: Unpack[EventFields]) -> str:
        """Emit `service.started`: a service started.

        Args:
            version: The version that is running.
            instance: The host or process.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "service.started", "success", "Info", "service", {"version": version, "instance": instance}, event
        )

    def stopped(self, *, version: str, instance: str, cause: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `service.stopped`: a service stopped. The outcome is `failure` after a crash.

        Args:
            version: The version that is running.
            instance: The host or process.
            cause: Why it happened.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "service.stopped",
            "success",
            "Info",
            "service",
            {"version": version, "instance": instance, "cause": cause},
            event,
        )


class SessionActions(KnownActions):
    """Emits the actions whose names start with `session.`."""

    __slots__ = ()

    def revoked(
        self, *, by: Literal["self", "admin", "system"], count: Number | None = None, **event: Unpack[EventFields]
    ) -> str:
        """Emit `session.revoked`: a session was ended by someone else, or all sessions of a user were ended.

        Args:
            by: Who did it.
            count: Number of sessions.
            event: Further fields, as in `emit`.
        """
        return self._emit("session.revoked", "success", "Low", "session", {"by": by, "count": count}, event)


class SettingsActions(KnownActions):
    """Emits the actions whose names start with `settings.`."""

    __slots__ = ()

    def changed(self, *, section: str, **event: Unpack[EventFields]) -> str:
        """Emit `settings.changed`: another setting was changed by an administrator. `before` and `after` contain
        its values.

        Args:
            section: The part that was changed, such as `password` or `billing`.
            event: Further fields, as in `emit`.
        """
        return self._emit("settings.changed", "success", "Medium", "settings", {"section": section}, event)


class SsoActions(KnownActions):
    """Emits the actions whose names start with `sso.`."""

    __slots__ = ()

    def changed(self, *, change: Literal["created", "updated", "deleted"], **event: Unpack[EventFields]) -> str:
        """Emit `sso.changed`: a single sign-on connection was created, changed or deleted.

        Args:
            change: What was done to it.
            event: Further fields, as in `emit`.
        """
        return self._emit("sso.changed", "success", "High", "connection", {"change": change}, event)


class TaskActions(KnownActions):
    """Emits the actions whose names start with `task.`."""

    __slots__ = ()

    def failed(self, *, exception: str, duration_ms: Number | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `task.failed`: a background task failed.

        Args:
            exception: Type of the exception, never its text.
            duration_ms: Duration in milliseconds.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "task.failed", "failure", "Error", "task", {"exception": exception, "duration_ms": duration_ms}, event
        )

    def retried(self, *, exception: str, duration_ms: Number | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `task.retried`: a background task failed and will be retried.

        Args:
            exception: Type of the exception, never its text.
            duration_ms: Duration in milliseconds.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "task.retried", "failure", "Low", "task", {"exception": exception, "duration_ms": duration_ms}, event
        )

    def revoked(self, *, reason: Literal["expired", "terminated", "revoked"], **event: Unpack[EventFields]) -> str:
        """Emit `task.revoked`: a background task was revoked because it expired, was terminated, or was cancelled
        before it began.

        Args:
            reason: Why it does not run.
            event: Further fields, as in `emit`.
        """
        return self._emit("task.revoked", "success", "Low", "task", {"reason": reason}, event)


class TenantActions(KnownActions):
    """Emits the actions whose names start with `tenant.`."""

    __slots__ = ()

    def created(self, **event: Unpack[EventFields]) -> str:
        """Emit `tenant.created`: a tenant was created."""
        return self._emit("tenant.created", "success", "Low", "tenant", {}, event)

    def updated(self, **event: Unpack[EventFields]) -> str:
        """Emit `tenant.updated`: a tenant was changed."""
        return self._emit("tenant.updated", "success", "Low", "tenant", {}, event)

    def deleted(self, **event: Unpack[EventFields]) -> str:
        """Emit `tenant.deleted`: a tenant was deleted."""
        return self._emit("tenant.deleted", "success", "High", "tenant", {}, event)


class ThreatActions(KnownActions):
    """Emits the actions whose names start with `threat.`."""

    __slots__ = ()

    def detected(self, *, kind: str, **event: Unpack[EventFields]) -> str:
        """Emit `threat.detected`: a threat to an account was detected. The outcome is `denied` if it was blocked.

        Args:
            kind: The threat, such as `breached_password`, `bot` or `impossible_travel`.
            event: Further fields, as in `emit`.
        """
        return self._emit("threat.detected", "unknown", "High", "user", {"kind": kind}, event)


class UserActions(KnownActions):
    """Emits the actions whose names start with `user.`."""

    __slots__ = ()

    def login(
        self,
        *,
        method: Literal["password", "sso", "social", "passkey", "magic_link", "device"],
        mfa: str | None = None,
        session_id: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `user.login`: a user signed in.

        Args:
            method: How the user was authenticated.
            mfa: The second factor that was used, or `none`.
            session_id: Id of the session that began.
            client_id: Id of the application that the user signed in to.
            connection: The identity provider's connection.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "user.login",
            "success",
            "Info",
            "user",
            {"method": method, "mfa": mfa, "session_id": session_id, "client_id": client_id, "connection": connection},
            event,
        )

    def login_failed(
        self,
        *,
        reason: Literal["bad_credentials", "unknown_user", "mfa", "locked", "disabled", "expired", "policy"],
        login: str | None = None,
        method: Literal["password", "sso", "social", "passkey", "magic_link", "device"] | None = None,
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `user.login_failed`: a user failed to sign in. The outcome is `denied` if a rule blocked the
        attempt.

        Args:
            reason: Why the attempt failed.
            login: The login as typed, which may be a password typed into the wrong box. Recorded masked, unless the
            client hashes it.
            method: How the user tried to authenticate.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "user.login_failed",
            "failure",
            "Medium",
            "user",
            {"reason": reason, "login": login, "method": method},
            event,
            masks=("login",),
        )

    def logout(self, *, session_id: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `user.logout`: a user signed out.

        Args:
            session_id: Id of the session that ended.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.logout", "success", "Info", "user", {"session_id": session_id}, event)

    def locked(
        self, *, reason: str, until: Time | None = None, attempts: Number | None = None, **event: Unpack[EventFields]
    ) -> str:
        """Emit `user.locked`: an account was locked after failed attempts, or by an administrator.

        Args:
            reason: Why it was locked, such as `attempts` or `admin`.
            until: When the lock ends.
            attempts: Number of failed attempts.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "user.locked", "success", "High", "user", {"reason": reason, "until": until, "attempts": attempts}, event
        )

    def unlocked(self, *, reason: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.unlocked`: a locked account was unlocked.

        Args:
            reason: Why it was unlocked, such as `expired` or `admin`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.unlocked", "success", "Low", "user", {"reason": reason}, event)

    def impersonated(self, *, reason: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.impersonated`: someone began acting as a user. Events that follow have the user in
        `on_behalf_of`.

        Args:
            reason: Why it was necessary, or `none_given`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.impersonated", "success", "High", "user", {"reason": reason}, event)

    def impersonation_ended(self, *, reason: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.impersonation_ended`: someone stopped acting as a user.

        Args:
            reason: Why it was necessary, or `none_given`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.impersonation_ended", "success", "Info", "user", {"reason": reason}, event)

    def password_changed(self, *, sessions_kept: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `user.password_changed`: a user changed their own password.

        Args:
            sessions_kept: Whether other sessions continue: `true` or `false`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.password_changed", "success", "Medium", "user", {"sessions_kept": sessions_kept}, event)

    def password_reset_requested(self, *, by: Literal["self", "admin", "system"], **event: Unpack[EventFields]) -> str:
        """Emit `user.password_reset_requested`: a password reset message was requested.

        Args:
            by: Who did it.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.password_reset_requested", "success", "Low", "user", {"by": by}, event)

    def password_reset(self, *, by: Literal["self", "admin", "system"], **event: Unpack[EventFields]) -> str:
        """Emit `user.password_reset`: a password was reset by its user after such a message, or set by an
        administrator.

        Args:
            by: Who did it.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.password_reset", "success", "Medium", "user", {"by": by}, event)

    def mfa_enrolled(
        self,
        *,
        factor: Literal["totp", "webauthn", "sms", "push", "recovery", "all"],
        by: Literal["self", "admin", "system"],
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `user.mfa_enrolled`: a second factor was added to an account.

        Args:
            factor: The second factor.
            by: Who did it.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.mfa_enrolled", "success", "Medium", "user", {"factor": factor, "by": by}, event)

    def mfa_removed(
        self,
        *,
        factor: Literal["totp", "webauthn", "sms", "push", "recovery", "all"],
        by: Literal["self", "admin", "system"],
        **event: Unpack[EventFields],
    ) -> str:
        """Emit `user.mfa_removed`: a second factor was removed from an account, or reset.

        Args:
            factor: The second factor.
            by: Who did it.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.mfa_removed", "success", "High", "user", {"factor": factor, "by": by}, event)

    def email_changed(self, **event: Unpack[EventFields]) -> str:
        """Emit `user.email_changed`: the e-mail address of a user was changed. `before` and `after` contain the
        addresses.
        """
        event = masked_changes(event)
        return self._emit("user.email_changed", "success", "Medium", "user", {}, event)

    def email_verified(self, **event: Unpack[EventFields]) -> str:
        """Emit `user.email_verified`: a user proved that an e-mail address is theirs."""
        return self._emit("user.email_verified", "success", "Info", "user", {}, event)

    def created(
        self, *, via: Literal["signup", "invite", "admin", "scim", "sso", "import"], **event: Unpack[EventFields]
    ) -> str:
        """Emit `user.created`: an account was created.

        Args:
            via: How it was created.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.created", "success", "Low", "user", {"via": via}, event)

    def updated(self, *, changed_fields: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `user.updated`: the profile of a user was changed. `before` and `after` contain the values.

        Args:
            changed_fields: Names of the fields that were changed.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.updated", "success", "Info", "user", {"changed_fields": changed_fields}, event)

    def enabled(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.enabled`: a disabled account was enabled.

        Args:
            via: How it happened, such as `admin`, `self` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.enabled", "success", "Low", "user", {"via": via}, event)

    def disabled(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.disabled`: an account was disabled.

        Args:
            via: How it happened, such as `admin`, `self` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.disabled", "success", "Medium", "user", {"via": via}, event)

    def deleted(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.deleted`: an account was deleted.

        Args:
            via: How it happened, such as `admin`, `self` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.deleted", "success", "Medium", "user", {"via": via}, event)

    def invited(self, *, email: str, roles: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `user.invited`: a person was invited to become a user.

        Args:
            email: The invited address. Recorded masked, unless the client hashes it.
            roles: The roles that the user is to have.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "user.invited", "success", "Low", "invitation", {"email": email, "roles": roles}, event, masks=("email",)
        )

    def identity_linked(self, *, provider: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.identity_linked`: a social or single sign-on identity was linked to an account.

        Args:
            provider: The identity provider, such as `google`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.identity_linked", "success", "Medium", "user", {"provider": provider}, event)

    def identity_unlinked(self, *, provider: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.identity_unlinked`: a social or single sign-on identity was unlinked from an account.

        Args:
            provider: The identity provider, such as `google`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.identity_unlinked", "success", "Medium", "user", {"provider": provider}, event)


class VersionActions(KnownActions):
    """Emits the actions whose names start with `version.`."""

    __slots__ = ()

    def changed(self, *, previous: str, version: str, **event: Unpack[EventFields]) -> str:
        """Emit `version.changed`: another version of a service was installed.

        Args:
            previous: The version before.
            version: The version that is running.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "version.changed", "success", "Low", "service", {"previous": previous, "version": version}, event
        )


class WorkerActions(KnownActions):
    """Emits the actions whose names start with `worker.`."""

    __slots__ = ()

    def restarted(self, *, version: str, instance: str, cause: str, **event: Unpack[EventFields]) -> str:
        """Emit `worker.restarted`: a worker process ended unexpectedly and was started again.

        Args:
            version: The version that is running.
            instance: The host or process.
            cause: Why it happened.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "worker.restarted",
            "failure",
            "Medium",
            "service",
            {"version": version, "instance": instance, "cause": cause},
            event,
        )
