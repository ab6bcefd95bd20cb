"""The nouns of known actions as properties of the client. Generated from the vocabulary by `make actions`; do not edit.

The methods themselves are imported when a property is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditlane.sdk import actions


class ActionProperties:
    """The base class of AuditClient with a property for each noun of the vocabulary."""

    __slots__ = ()

    @property
    def api_key(self) -> actions.ApiKeyActions:
        """The methods that emit the actions of `api_key`: `created`, `revoked`."""
        from auditlane.sdk.actions import ApiKeyActions

        return ApiKeyActions(self)

    @property
    def app(self) -> actions.AppActions:
        """The methods that emit the actions of `app`: `authorized`, `revoked`."""
        from auditlane.sdk.actions import AppActions

        return AppActions(self)

    @property
    def certificate(self) -> actions.CertificateActions:
        """The methods that emit the actions of `certificate`: `expiring`, `renewed`."""
        from auditlane.sdk.actions import CertificateActions

        return CertificateActions(self)

    @property
    def circuit_breaker(self) -> actions.CircuitBreakerActions:
        """The methods that emit the actions of `circuit_breaker`: `opened`, `closed`."""
        from auditlane.sdk.actions import CircuitBreakerActions

        return CircuitBreakerActions(self)

    @property
    def data(self) -> actions.DataActions:
        """The methods that emit the actions of `data`: `exported`, `imported`."""
        from auditlane.sdk.actions import DataActions

        return DataActions(self)

    @property
    def delivery(self) -> actions.DeliveryActions:
        """The methods that emit the actions of `delivery`: `delayed`, `recovered`."""
        from auditlane.sdk.actions import DeliveryActions

        return DeliveryActions(self)

    @property
    def directory(self) -> actions.DirectoryActions:
        """The methods that emit the actions of `directory`: `changed`."""
        from auditlane.sdk.actions import DirectoryActions

        return DirectoryActions(self)

    @property
    def disk(self) -> actions.DiskActions:
        """The methods that emit the actions of `disk`: `filling`, `freed`."""
        from auditlane.sdk.actions import DiskActions

        return DiskActions(self)

    @property
    def domain(self) -> actions.DomainActions:
        """The methods that emit the actions of `domain`: `verified`."""
        from auditlane.sdk.actions import DomainActions

        return DomainActions(self)

    @property
    def events(self) -> actions.EventsActions:
        """The methods that emit the actions of `events`: `dropped`, `refused`, `replayed`."""
        from auditlane.sdk.actions import EventsActions

        return EventsActions(self)

    @property
    def group(self) -> actions.GroupActions:
        """The methods that emit the actions of `group`: `created`, `updated`, `deleted`, `member_added`,
        `member_removed`."""
        from auditlane.sdk.actions import GroupActions

        return GroupActions(self)

    @property
    def invitation(self) -> actions.InvitationActions:
        """The methods that emit the actions of `invitation`: `accepted`, `revoked`."""
        from auditlane.sdk.actions import InvitationActions

        return InvitationActions(self)

    @property
    def key(self) -> actions.KeyActions:
        """The methods that emit the actions of `key`: `expiring`, `renewed`."""
        from auditlane.sdk.actions import KeyActions

        return KeyActions(self)

    @property
    def lag(self) -> actions.LagActions:
        """The methods that emit the actions of `lag`: `detected`, `cleared`."""
        from auditlane.sdk.actions import LagActions

        return LagActions(self)

    @property
    def member(self) -> actions.MemberActions:
        """The methods that emit the actions of `member`: `added`, `removed`."""
        from auditlane.sdk.actions import MemberActions

        return MemberActions(self)

    @property
    def permission(self) -> actions.PermissionActions:
        """The methods that emit the actions of `permission`: `granted`, `revoked`."""
        from auditlane.sdk.actions import PermissionActions

        return PermissionActions(self)

    @property
    def policy(self) -> actions.PolicyActions:
        """The methods that emit the actions of `policy`: `changed`."""
        from auditlane.sdk.actions import PolicyActions

        return PolicyActions(self)

    @property
    def rate(self) -> actions.RateActions:
        """The methods that emit the actions of `rate`: `limited`."""
        from auditlane.sdk.actions import RateActions

        return RateActions(self)

    @property
    def request(self) -> actions.RequestActions:
        """The methods that emit the actions of `request`: `slow`."""
        from auditlane.sdk.actions import RequestActions

        return RequestActions(self)

    @property
    def retention(self) -> actions.RetentionActions:
        """The methods that emit the actions of `retention`: `applied`."""
        from auditlane.sdk.actions import RetentionActions

        return RetentionActions(self)

    @property
    def role(self) -> actions.RoleActions:
        """The methods that emit the actions of `role`: `assigned`, `removed`, `created`, `updated`, `deleted`."""
        from auditlane.sdk.actions import RoleActions

        return RoleActions(self)

    @property
    def schema(self) -> actions.SchemaActions:
        """The methods that emit the actions of `schema`: `changed`."""
        from auditlane.sdk.actions import SchemaActions

        return SchemaActions(self)

    @property
    def security(self) -> actions.SecurityActions:
        """The methods that emit the actions of `security`: `checked`."""
        from auditlane.sdk.actions import SecurityActions

        return SecurityActions(self)

    @property
    def service(self) -> actions.ServiceActions:
        """The methods that emit the actions of `service`: `started`, `stopped`."""
        from auditlane.sdk.actions import ServiceActions

        return ServiceActions(self)

    @property
    def session(self) -> actions.SessionActions:
        """The methods that emit the actions of `session`: `revoked`."""
        from auditlane.sdk.actions import SessionActions

        return SessionActions(self)

    @property
    def settings(self) -> actions.SettingsActions:
        """The methods that emit the actions of `settings`: `changed`."""
        from auditlane.sdk.actions import SettingsActions

        return SettingsActions(self)

    @property
    def sso(self) -> actions.SsoActions:
        """The methods that emit the actions of `sso`: `changed`."""
        from auditlane.sdk.actions import SsoActions

        return SsoActions(self)

    @property
    def task(self) -> actions.TaskActions:
        """The methods that emit the actions of `task`: `failed`, `retried`, `revoked`."""
        from auditlane.sdk.actions import TaskActions

        return TaskActions(self)

    @property
    def tenant(self) -> actions.TenantActions:
        """The methods that emit the actions of `tenant`: `created`, `updated`, `deleted`."""
        from auditlane.sdk.actions import TenantActions

        return TenantActions(self)

    @property
    def threat(self) -> actions.ThreatActions:
        """The methods that emit the actions of `threat`: `detected`."""
        from auditlane.sdk.actions import ThreatActions

        return ThreatActions(self)

    @property
    def user(self) -> actions.UserActions:
        """The methods that emit the actions of `user`: `login`, `login_failed`, `logout`, `locked`, `unlocked`,
        `impersonated`, `impersonation_ended`, `password_changed`, `password_reset_requested`, `password_reset`,
        `mfa_enrolled`, `mfa_removed`, `email_changed`, `email_verified`, `created`, `updated`, `enabled`,
        `disabled`, `deleted`, `invited`, `identity_linked`, `identity_unlinked`."""
        from auditlane.sdk.actions import UserActions

        return UserActions(self)

    @property
    def version(self) -> actions.VersionActions:
        """The methods that emit the actions of `version`: `changed`."""
        from auditlane.sdk.actions import VersionActions

        return VersionActions(self)

    @property
    def worker(self) -> actions.WorkerActions:
        """The methods that emit the actions of `worker`: `restarted`."""
        from auditlane.sdk.actions import WorkerActions

        return WorkerActions(self)
