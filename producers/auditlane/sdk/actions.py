"""The methods of known actions, a class for each noun. Generated from the vocabulary by `make actions`; do not edit."""

from __future__ import annotations

from typing import Literal, Unpack

from auditlane.sdk.event_fields import EventFields
from auditlane.sdk.known_action import KnownActions, Number, Texts, Time, masked_changes


class ApiKeyActions(KnownActions):
    """The actions of `api_key`."""

    __slots__ = ()

    def created(self, *, name: str, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `api_key.created`. An API key, access token or client credential was created. The event never
        contains the key.

        Args:
            name: Name of the object, for readers.
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("api_key.created", "success", "Medium", "api_key", {"name": name, "scopes": scopes}, event)

    def revoked(self, *, name: str, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `api_key.revoked`. An API key, access token or client credential was revoked.

        Args:
            name: Name of the object, for readers.
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("api_key.revoked", "success", "Medium", "api_key", {"name": name, "scopes": scopes}, event)


class AppActions(KnownActions):
    """The actions of `app`."""

    __slots__ = ()

    def authorized(self, *, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `app.authorized`. A user gave an application access to their account.

        Args:
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("app.authorized", "success", "Low", "app", {"scopes": scopes}, event)

    def revoked(self, *, scopes: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `app.revoked`. The access of an application to an account was revoked.

        Args:
            scopes: What it gives access to.
            event: Further fields, as in `emit`.
        """
        return self._emit("app.revoked", "success", "Low", "app", {"scopes": scopes}, event)


class CertificateActions(KnownActions):
    """The actions of `certificate`."""

    __slots__ = ()

    def expiring(self, *, at: Time, left: str, **event: Unpack[EventFields]) -> str:
        """Emit `certificate.expiring`. A certificate expires soon. Use severity `High` if little time remains.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("certificate.expiring", "failure", "Medium", "certificate", {"at": at, "left": left}, event)

    def renewed(self, *, at: Time | None = None, left: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `certificate.renewed`. A certificate that was about to expire was renewed.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("certificate.renewed", "success", "Info", "certificate", {"at": at, "left": left}, event)


class CircuitBreakerActions(KnownActions):
    """The actions of `circuit_breaker`."""

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
        """Emit `circuit_breaker.opened`. Partitions of a topic were halted because too many of their messages were
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
        """Emit `circuit_breaker.closed`. No partition of a topic is halted because of rejected messages any longer.

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
    """The actions of `data`."""

    __slots__ = ()

    def exported(self, *, rows: Number, format: str, **event: Unpack[EventFields]) -> str:
        """Emit `data.exported`. Data was exported; the resource is what was exported.

        Args:
            rows: Number of rows.
            format: The format, such as `csv`.
            event: Further fields, as in `emit`.
        """
        return self._emit("data.exported", "success", "Medium", "data", {"rows": rows, "format": format}, event)

    def imported(self, *, rows: Number, format: str, **event: Unpack[EventFields]) -> str:
        """Emit `data.imported`. Data was imported; the resource is what was imported.

        Args:
            rows: Number of rows.
            format: The format, such as `csv`.
            event: Further fields, as in `emit`.
        """
        return self._emit("data.imported", "success", "Medium", "data", {"rows": rows, "format": format}, event)


class DeliveryActions(KnownActions):
    """The actions of `delivery`."""

    __slots__ = ()

    def delayed(self, *, spooled: Number, since: Time, **event: Unpack[EventFields]) -> str:
        """Emit `delivery.delayed`. Kafka is unavailable to a service, which keeps its events on disk.

        Args:
            spooled: Number of events on disk.
            since: When this state began.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "delivery.delayed", "failure", "Medium", "service", {"spooled": spooled, "since": since}, event
        )

    def recovered(self, *, spooled: Number, since: Time, **event: Unpack[EventFields]) -> str:
        """Emit `delivery.recovered`. A service has delivered all events that it kept on disk.

        Args:
            spooled: Number of events on disk.
            since: When this state began.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "delivery.recovered", "success", "Info", "service", {"spooled": spooled, "since": since}, event
        )


class DirectoryActions(KnownActions):
    """The actions of `directory`."""

    __slots__ = ()

    def changed(self, *, change: Literal["created", "updated", "deleted"], **event: Unpack[EventFields]) -> str:
        """Emit `directory.changed`. A directory that provisions users was connected, changed or disconnected.

        Args:
            change: What was done to it.
            event: Further fields, as in `emit`.
        """
        return self._emit("directory.changed", "success", "Medium", "directory", {"change": change}, event)


class DiskActions(KnownActions):
    """The actions of `disk`."""

    __slots__ = ()

    def filling(
        self, *, left: str, at: Time | None = None, total: str | None = None, **event: Unpack[EventFields]
    ) -> str:
        """Emit `disk.filling`. A disk will be full soon. Use severity `High` if little space remains.

        Args:
            left: What remains, such as `6 days` or `4 GiB`.
            at: When it expires or is full.
            total: Size of the disk, such as `1.8 TiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("disk.filling", "failure", "Medium", "disk", {"left": left, "at": at, "total": total}, event)

    def freed(self, *, left: str, total: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `disk.freed`. A disk that was nearly full has space again.

        Args:
            left: What remains, such as `6 days` or `4 GiB`.
            total: Size of the disk, such as `1.8 TiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("disk.freed", "success", "Info", "disk", {"left": left, "total": total}, event)


class DomainActions(KnownActions):
    """The actions of `domain`."""

    __slots__ = ()

    def verified(self, **event: Unpack[EventFields]) -> str:
        """Emit `domain.verified`. A tenant proved that a domain is theirs."""
        return self._emit("domain.verified", "success", "Low", "domain", {}, event)


class EventsActions(KnownActions):
    """The actions of `events`."""

    __slots__ = ()

    def dropped(self, *, count: Number, since: Time, until: Time, cause: str, **event: Unpack[EventFields]) -> str:
        """Emit `events.dropped`. Events were lost: there was no space for them, their process was killed, or their
        file is corrupt.

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
        """Emit `events.refused`. Events broke their contract and were rejected; one event an hour for each code.

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
        """Emit `events.replayed`. Messages were sent again.

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
    """The actions of `group`."""

    __slots__ = ()

    def created(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.created`. A group was created.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.created", "success", "Low", "group", {"name": name}, event)

    def updated(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.updated`. The definition of a group was changed.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.updated", "success", "Low", "group", {"name": name}, event)

    def deleted(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.deleted`. A group was deleted.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.deleted", "success", "Low", "group", {"name": name}, event)

    def member_added(self, *, user: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.member_added`. A user was added to a group.

        Args:
            user: Id of the member.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.member_added", "success", "Low", "group", {"user": user}, event)

    def member_removed(self, *, user: str, **event: Unpack[EventFields]) -> str:
        """Emit `group.member_removed`. A user was removed from a group.

        Args:
            user: Id of the member.
            event: Further fields, as in `emit`.
        """
        return self._emit("group.member_removed", "success", "Low", "group", {"user": user}, event)


class InvitationActions(KnownActions):
    """The actions of `invitation`."""

    __slots__ = ()

    def accepted(self, *, email: str, roles: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `invitation.accepted`. An invitation was accepted.

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
        """Emit `invitation.revoked`. An invitation was withdrawn.

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
    """The actions of `key`."""

    __slots__ = ()

    def expiring(self, *, at: Time, left: str, **event: Unpack[EventFields]) -> str:
        """Emit `key.expiring`. A key expires soon. Use severity `High` if little time remains.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("key.expiring", "failure", "Medium", "key", {"at": at, "left": left}, event)

    def renewed(self, *, at: Time | None = None, left: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `key.renewed`. A key that was about to expire was renewed.

        Args:
            at: When it expires or is full.
            left: What remains, such as `6 days` or `4 GiB`.
            event: Further fields, as in `emit`.
        """
        return self._emit("key.renewed", "success", "Info", "key", {"at": at, "left": left}, event)


class LagActions(KnownActions):
    """The actions of `lag`."""

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
        """Emit `lag.detected`. Events have been waiting too long to be stored. Use severity `High` above ten times
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
        """Emit `lag.cleared`. Events are stored without undue delay again.

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
    """The actions of `member`."""

    __slots__ = ()

    def added(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `member.added`. A user joined the tenant.

        Args:
            via: How it happened, such as `admin`, `invite` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("member.added", "success", "Low", "user", {"via": via}, event)

    def removed(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `member.removed`. A user left the tenant, or was removed from it.

        Args:
            via: How it happened, such as `admin`, `invite` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("member.removed", "success", "Medium", "user", {"via": via}, event)


class PermissionActions(KnownActions):
    """The actions of `permission`."""

    __slots__ = ()

    def granted(self, *, permission: str, **event: Unpack[EventFields]) -> str:
        """Emit `permission.granted`. A permission was granted directly, without a role.

        Args:
            permission: Name of the permission.
            event: Further fields, as in `emit`.
        """
        return self._emit("permission.granted", "success", "Medium", "user", {"permission": permission}, event)

    def revoked(self, *, permission: str, **event: Unpack[EventFields]) -> str:
        """Emit `permission.revoked`. A permission that had been granted directly was revoked.

        Args:
            permission: Name of the permission.
            event: Further fields, as in `emit`.
        """
        return self._emit("permission.revoked", "success", "Medium", "user", {"permission": permission}, event)


class PolicyActions(KnownActions):
    """The actions of `policy`."""

    __slots__ = ()

    def changed(self, *, section: str, **event: Unpack[EventFields]) -> str:
        """Emit `policy.changed`. A password, second-factor, session or address policy was changed; `before` and
        `after` have its values.

        Args:
            section: The part that was changed, such as `password` or `billing`.
            event: Further fields, as in `emit`.
        """
        return self._emit("policy.changed", "success", "High", "policy", {"section": section}, event)


class RateActions(KnownActions):
    """The actions of `rate`."""

    __slots__ = ()

    def limited(self, **event: Unpack[EventFields]) -> str:
        """Emit `rate.limited`. Requests were refused because a caller sent too many."""
        return self._emit("rate.limited", "failure", "Low", "route", {}, event)


class RequestActions(KnownActions):
    """The actions of `request`."""

    __slots__ = ()

    def slow(self, *, duration_ms: Number, **event: Unpack[EventFields]) -> str:
        """Emit `request.slow`. A request took longer than its limit.

        Args:
            duration_ms: Duration in milliseconds.
            event: Further fields, as in `emit`.
        """
        return self._emit("request.slow", "failure", "Low", "route", {"duration_ms": duration_ms}, event)


class RetentionActions(KnownActions):
    """The actions of `retention`."""

    __slots__ = ()

    def applied(self, *, rows: Number, older_than: Time, **event: Unpack[EventFields]) -> str:
        """Emit `retention.applied`. Events older than the retention period were deleted.

        Args:
            rows: Number of events.
            older_than: Time before which events were deleted.
            event: Further fields, as in `emit`.
        """
        return self._emit("retention.applied", "success", "Low", "log", {"rows": rows, "older_than": older_than}, event)


class RoleActions(KnownActions):
    """The actions of `role`."""

    __slots__ = ()

    def assigned(self, *, role: str, scope: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `role.assigned`. A role was assigned to a user, group or client. Use severity `High` for a
        privileged role.

        Args:
            role: Name of the role.
            scope: What the role is limited to, such as a project.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.assigned", "success", "Medium", "user", {"role": role, "scope": scope}, event)

    def removed(self, *, role: str, scope: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `role.removed`. A role was taken from a user, group or client. Use severity `High` for a privileged
        role.

        Args:
            role: Name of the role.
            scope: What the role is limited to, such as a project.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.removed", "success", "Medium", "user", {"role": role, "scope": scope}, event)

    def created(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `role.created`. A role was created.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.created", "success", "Medium", "role", {"name": name}, event)

    def updated(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `role.updated`. The definition of a role was changed.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.updated", "success", "Medium", "role", {"name": name}, event)

    def deleted(self, *, name: str, **event: Unpack[EventFields]) -> str:
        """Emit `role.deleted`. A role was deleted.

        Args:
            name: Name of the object, for readers.
            event: Further fields, as in `emit`.
        """
        return self._emit("role.deleted", "success", "Medium", "role", {"name": name}, event)


class SchemaActions(KnownActions):
    """The actions of `schema`."""

    __slots__ = ()

    def changed(self, *, previous: str, version: str, **event: Unpack[EventFields]) -> str:
        """Emit `schema.changed`. A version of a contract was registered.

        Args:
            previous: The version before.
            version: The version that was registered.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "schema.changed", "success", "Low", "schema", {"previous": previous, "version": version}, event
        )


class SecurityActions(KnownActions):
    """The actions of `security`."""

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
        """Emit `security.checked`. The security of an installation was checked. The outcome is `failure` if there
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
    """The actions of `service`."""

    __slots__ = ()

    def started(self, *, version: str, instance: str, **event: Unpack[EventFields]) -> str:
        """Emit `service.started`. A service started.

        Args:
            version: The version that is running.
            instance: The host or process.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "service.started", "success", "Info", "service", {"version": version, "instance": instance}, event
        )

    def stopped(self, *, version: str, instance: str, cause: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `service.stopped`. A service stopped. The outcome is `failure` after a crash.

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
    """The actions of `session`."""

    __slots__ = ()

    def revoked(
        self, *, by: Literal["self", "admin", "system"], count: Number | None = None, **event: Unpack[EventFields]
    ) -> str:
        """Emit `session.revoked`. A session was ended by someone else, or all sessions of a user were ended.

        Args:
            by: Who did it.
            count: Number of sessions.
            event: Further fields, as in `emit`.
        """
        return self._emit("session.revoked", "success", "Low", "session", {"by": by, "count": count}, event)


class SettingsActions(KnownActions):
    """The actions of `settings`."""

    __slots__ = ()

    def changed(self, *, section: str, **event: Unpack[EventFields]) -> str:
        """Emit `settings.changed`. Another setting was changed by an administrator; `before` and `after` have its
        values.

        Args:
            section: The part that was changed, such as `password` or `billing`.
            event: Further fields, as in `emit`.
        """
        return self._emit("settings.changed", "success", "Medium", "settings", {"section": section}, event)


class SsoActions(KnownActions):
    """The actions of `sso`."""

    __slots__ = ()

    def changed(self, *, change: Literal["created", "updated", "deleted"], **event: Unpack[EventFields]) -> str:
        """Emit `sso.changed`. A single sign-on connection was created, changed or deleted.

        Args:
            change: What was done to it.
            event: Further fields, as in `emit`.
        """
        return self._emit("sso.changed", "success", "High", "connection", {"change": change}, event)


class TaskActions(KnownActions):
    """The actions of `task`."""

    __slots__ = ()

    def failed(self, *, exception: str, duration_ms: Number | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `task.failed`. A background task failed.

        Args:
            exception: Type of the exception, never its text.
            duration_ms: Duration in milliseconds.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "task.failed", "failure", "Error", "task", {"exception": exception, "duration_ms": duration_ms}, event
        )

    def retried(self, *, exception: str, duration_ms: Number | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `task.retried`. A background task failed and will be retried.

        Args:
            exception: Type of the exception, never its text.
            duration_ms: Duration in milliseconds.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "task.retried", "failure", "Low", "task", {"exception": exception, "duration_ms": duration_ms}, event
        )

    def revoked(self, *, reason: Literal["expired", "terminated", "revoked"], **event: Unpack[EventFields]) -> str:
        """Emit `task.revoked`. A background task was revoked: it expired, was terminated, or was cancelled before
        it began.

        Args:
            reason: Why it does not run.
            event: Further fields, as in `emit`.
        """
        return self._emit("task.revoked", "success", "Low", "task", {"reason": reason}, event)


class TenantActions(KnownActions):
    """The actions of `tenant`."""

    __slots__ = ()

    def created(self, **event: Unpack[EventFields]) -> str:
        """Emit `tenant.created`. A tenant was created."""
        return self._emit("tenant.created", "success", "Low", "tenant", {}, event)

    def updated(self, **event: Unpack[EventFields]) -> str:
        """Emit `tenant.updated`. A tenant was changed."""
        return self._emit("tenant.updated", "success", "Low", "tenant", {}, event)

    def deleted(self, **event: Unpack[EventFields]) -> str:
        """Emit `tenant.deleted`. A tenant was deleted."""
        return self._emit("tenant.deleted", "success", "High", "tenant", {}, event)


class ThreatActions(KnownActions):
    """The actions of `threat`."""

    __slots__ = ()

    def detected(self, *, kind: str, **event: Unpack[EventFields]) -> str:
        """Emit `threat.detected`. A threat to an account was detected. The outcome is `denied` if it was blocked.

        Args:
            kind: The threat, such as `breached_password`, `bot` or `impossible_travel`.
            event: Further fields, as in `emit`.
        """
        return self._emit("threat.detected", "unknown", "High", "user", {"kind": kind}, event)


class UserActions(KnownActions):
    """The actions of `user`."""

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
        """Emit `user.login`. A user signed in.

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
        """Emit `user.login_failed`. A user failed to sign in. The outcome is `denied` if a rule blocked the
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
        """Emit `user.logout`. A user signed out.

        Args:
            session_id: Id of the session that ended.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.logout", "success", "Info", "user", {"session_id": session_id}, event)

    def locked(
        self, *, reason: str, until: Time | None = None, attempts: Number | None = None, **event: Unpack[EventFields]
    ) -> str:
        """Emit `user.locked`. An account was locked after failed attempts, or by an administrator.

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
        """Emit `user.unlocked`. A locked account was unlocked.

        Args:
            reason: Why it was unlocked, such as `expired` or `admin`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.unlocked", "success", "Low", "user", {"reason": reason}, event)

    def impersonated(self, *, reason: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.impersonated`. Someone began acting as a user. Events that follow have the user in
        `on_behalf_of`.

        Args:
            reason: Why it was necessary; `none_given` if nothing was stated.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.impersonated", "success", "High", "user", {"reason": reason}, event)

    def impersonation_ended(self, *, reason: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.impersonation_ended`. Someone stopped acting as a user.

        Args:
            reason: Why it was necessary; `none_given` if nothing was stated.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.impersonation_ended", "success", "Info", "user", {"reason": reason}, event)

    def password_changed(self, *, sessions_kept: str | None = None, **event: Unpack[EventFields]) -> str:
        """Emit `user.password_changed`. A user changed their own password.

        Args:
            sessions_kept: Whether other sessions continue: `true` or `false`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.password_changed", "success", "Medium", "user", {"sessions_kept": sessions_kept}, event)

    def password_reset_requested(self, *, by: Literal["self", "admin", "system"], **event: Unpack[EventFields]) -> str:
        """Emit `user.password_reset_requested`. A password reset message was requested.

        Args:
            by: Who did it.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.password_reset_requested", "success", "Low", "user", {"by": by}, event)

    def password_reset(self, *, by: Literal["self", "admin", "system"], **event: Unpack[EventFields]) -> str:
        """Emit `user.password_reset`. A password was reset by its user after such a message, or set by an
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
        """Emit `user.mfa_enrolled`. A second factor was added to an account.

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
        """Emit `user.mfa_removed`. A second factor was removed from an account, or reset.

        Args:
            factor: The second factor.
            by: Who did it.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.mfa_removed", "success", "High", "user", {"factor": factor, "by": by}, event)

    def email_changed(self, **event: Unpack[EventFields]) -> str:
        """Emit `user.email_changed`. The e-mail address of a user was changed; `before` and `after` have the
        addresses.
        """
        event = masked_changes(event)
        return self._emit("user.email_changed", "success", "Medium", "user", {}, event)

    def email_verified(self, **event: Unpack[EventFields]) -> str:
        """Emit `user.email_verified`. A user proved that an e-mail address is theirs."""
        return self._emit("user.email_verified", "success", "Info", "user", {}, event)

    def created(
        self, *, via: Literal["signup", "invite", "admin", "scim", "sso", "import"], **event: Unpack[EventFields]
    ) -> str:
        """Emit `user.created`. An account was created.

        Args:
            via: How it was created.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.created", "success", "Low", "user", {"via": via}, event)

    def updated(self, *, changed_fields: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `user.updated`. The profile of a user was changed; `before` and `after` have the values.

        Args:
            changed_fields: Names of the fields that were changed.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.updated", "success", "Info", "user", {"changed_fields": changed_fields}, event)

    def enabled(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.enabled`. A disabled account was enabled.

        Args:
            via: How it happened, such as `admin`, `self` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.enabled", "success", "Low", "user", {"via": via}, event)

    def disabled(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.disabled`. An account was disabled.

        Args:
            via: How it happened, such as `admin`, `self` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.disabled", "success", "Medium", "user", {"via": via}, event)

    def deleted(self, *, via: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.deleted`. An account was deleted.

        Args:
            via: How it happened, such as `admin`, `self` or `scim`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.deleted", "success", "Medium", "user", {"via": via}, event)

    def invited(self, *, email: str, roles: Texts, **event: Unpack[EventFields]) -> str:
        """Emit `user.invited`. A person was invited to become a user.

        Args:
            email: The invited address. Recorded masked, unless the client hashes it.
            roles: The roles that the user is to have.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "user.invited", "success", "Low", "invitation", {"email": email, "roles": roles}, event, masks=("email",)
        )

    def identity_linked(self, *, provider: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.identity_linked`. A social or single sign-on identity was linked to an account.

        Args:
            provider: The identity provider, such as `google`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.identity_linked", "success", "Medium", "user", {"provider": provider}, event)

    def identity_unlinked(self, *, provider: str, **event: Unpack[EventFields]) -> str:
        """Emit `user.identity_unlinked`. A social or single sign-on identity was unlinked from an account.

        Args:
            provider: The identity provider, such as `google`.
            event: Further fields, as in `emit`.
        """
        return self._emit("user.identity_unlinked", "success", "Medium", "user", {"provider": provider}, event)


class VersionActions(KnownActions):
    """The actions of `version`."""

    __slots__ = ()

    def changed(self, *, previous: str, version: str, **event: Unpack[EventFields]) -> str:
        """Emit `version.changed`. Another version of a service was installed.

        Args:
            previous: The version before.
            version: The version that is running.
            event: Further fields, as in `emit`.
        """
        return self._emit(
            "version.changed", "success", "Low", "service", {"previous": previous, "version": version}, event
        )


class WorkerActions(KnownActions):
    """The actions of `worker`."""

    __slots__ = ()

    def restarted(self, *, version: str, instance: str, cause: str, **event: Unpack[EventFields]) -> str:
        """Emit `worker.restarted`. A worker process ended unexpectedly and was started again.

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
