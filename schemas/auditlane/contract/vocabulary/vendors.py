"""The names that other products use for the actions. `*` stands for any text.

A product may have several names for one action, and may use one name for several actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from auditlane.contract.vocabulary.action import Vendor

VENDOR_NAMES: Final[Mapping[str, Mapping[Vendor, tuple[str, ...]]]] = {
    "user.login": {
        "auth0": ("s", "seoobft"),
        "clerk": ("session.created",),
        "frontegg": (
            "frontegg.user.authenticated",
            "frontegg.user.authenticatedWithSSO",
            "frontegg.user.authenticatedWithSAML",
            "login.completed",
        ),
        "github": ("user.login", "business.sso_response"),
        "google_workspace": ("login_success",),
        "keycloak": ("LOGIN",),
        "microsoft": ("UserLoggedIn",),
        "okta": ("user.session.start", "user.authentication.sso"),
        "workos": ("authentication.*_succeeded", "session.created"),
    },
    "user.login_failed": {
        "auth0": ("f", "fp", "fu", "fc", "gd_auth_failed"),
        "frontegg": ("frontegg.user.failedAuthentication",),
        "github": ("user.failed_login", "user.two_factor_challenge_failure"),
        "google_workspace": ("login_failure",),
        "keycloak": ("LOGIN_ERROR",),
        "microsoft": ("UserLoginFailed",),
        "okta": ("user.session.start", "user.authentication.auth_via_mfa"),
        "workos": ("authentication.*_failed", "authentication.sso_timed_out"),
    },
    "user.logout": {
        "auth0": ("slo",),
        "clerk": ("session.ended",),
        "github": ("user.logout",),
        "google_workspace": ("logout",),
        "keycloak": ("LOGOUT",),
        "okta": ("user.session.end",),
    },
    "session.revoked": {
        "clerk": ("session.removed", "session.revoked"),
        "okta": ("user.session.clear",),
        "workos": ("session.revoked",),
    },
    "user.locked": {
        "auth0": ("limit_wc", "limit_sul"),
        "clerk": ("user.updated",),
        "keycloak": ("USER_DISABLED_BY_TEMPORARY_LOCKOUT", "USER_DISABLED_BY_PERMANENT_LOCKOUT"),
        "okta": ("user.account.lock",),
    },
    "user.unlocked": {"auth0": ("ublkdu",), "clerk": ("user.updated",), "okta": ("user.account.unlock",)},
    "user.impersonated": {
        "keycloak": ("IMPERSONATE",),
        "okta": ("user.session.impersonation.initiate",),
    },
    "user.impersonation_ended": {
        "okta": ("user.session.impersonation.end",),
    },
    "user.password_changed": {
        "auth0": ("scp",),
        "frontegg": ("frontegg.user.changedPassword",),
        "google_workspace": ("password_edit",),
        "keycloak": ("UPDATE_PASSWORD",),
        "okta": ("user.account.update_password",),
    },
    "user.password_reset_requested": {
        "auth0": ("scpr",),
        "frontegg": ("frontegg.user.forgotPassword",),
        "keycloak": ("SEND_RESET_PASSWORD",),
        "workos": ("password_reset.created",),
    },
    "user.password_reset": {
        "keycloak": ("RESET_PASSWORD", "USER-ACTION"),
        "okta": ("user.account.reset_password",),
        "workos": ("password_reset.succeeded",),
    },
    "user.mfa_enrolled": {
        "auth0": ("gd_enrollment_complete",),
        "clerk": ("user.updated",),
        "frontegg": ("frontegg.user.enrolledMFA",),
        "github": ("two_factor_authentication.add_factor", "two_factor_authentication.enabled"),
        "google_workspace": ("2sv_enroll", "titanium_enroll"),
        "keycloak": ("UPDATE_TOTP", "UPDATE_CREDENTIAL"),
        "okta": ("user.mfa.factor.activate",),
    },
    "user.mfa_removed": {
        "auth0": ("gd_unenroll",),
        "clerk": ("user.updated",),
        "frontegg": ("frontegg.user.disabledMFA",),
        "github": ("two_factor_authentication.disabled",),
        "google_workspace": ("2sv_disable", "titanium_unenroll"),
        "keycloak": ("REMOVE_TOTP", "REMOVE_CREDENTIAL"),
        "okta": ("user.mfa.factor.deactivate", "user.mfa.factor.reset_all"),
    },
    "user.email_changed": {
        "auth0": ("sce",),
        "keycloak": ("UPDATE_EMAIL",),
    },
    "user.email_verified": {
        "auth0": ("sv",),
        "keycloak": ("VERIFY_EMAIL",),
    },
    "user.created": {
        "auth0": ("ss", "sapi"),
        "clerk": ("user.created",),
        "frontegg": ("frontegg.user.created", "frontegg.user.signedUp"),
        "google_workspace": ("CREATE_USER",),
        "keycloak": ("REGISTER", "USER-CREATE"),
        "microsoft": ("Add user",),
        "okta": ("user.lifecycle.create",),
        "workos": ("user.created", "dsync.user.created"),
    },
    "user.updated": {
        "auth0": ("sapi",),
        "clerk": ("user.updated",),
        "frontegg": ("frontegg.user.updated",),
        "keycloak": ("UPDATE_PROFILE", "USER-UPDATE"),
        "microsoft": ("Update user.",),
        "okta": ("user.account.update_profile",),
        "workos": ("user.updated", "dsync.user.updated"),
    },
    "user.deleted": {
        "auth0": ("sdu", "sapi"),
        "clerk": ("user.deleted",),
        "frontegg": ("frontegg.user.deleted",),
        "google_workspace": ("DELETE_USER",),
        "keycloak": ("USER-DELETE", "DELETE_ACCOUNT"),
        "microsoft": ("Delete user",),
        "okta": ("user.lifecycle.delete.*",),
        "workos": ("user.deleted", "dsync.user.deleted"),
    },
    "user.enabled": {
        "auth0": ("sapi",),
        "clerk": ("user.updated",),
        "frontegg": ("frontegg.user.activated",),
        "keycloak": ("USER-UPDATE",),
        "okta": ("user.lifecycle.activate", "user.lifecycle.unsuspend"),
        "workos": ("user.updated",),
    },
    "user.disabled": {
        "auth0": ("sapi",),
        "clerk": ("user.updated",),
        "google_workspace": ("account_disabled_*", "SUSPEND_USER"),
        "keycloak": ("USER-UPDATE",),
        "okta": ("user.lifecycle.deactivate", "user.lifecycle.suspend"),
        "workos": ("user.updated",),
    },
    "user.invited": {
        "github": ("org.invite_member",),
        "microsoft": ("Invite external user",),
        "workos": ("invitation.created",),
    },
    "invitation.accepted": {
        "auth0": ("si",),
        "workos": ("invitation.accepted",),
    },
    "invitation.revoked": {
        "workos": ("invitation.revoked",),
    },
    "user.identity_linked": {
        "keycloak": ("FEDERATED_IDENTITY_LINK",),
    },
    "user.identity_unlinked": {
        "keycloak": ("REMOVE_FEDERATED_IDENTITY",),
    },
    "member.added": {
        "auth0": ("organization_member_added",),
        "clerk": ("organizationMembership.created",),
        "frontegg": ("frontegg.user.invitedToTenant",),
        "github": ("org.add_member",),
        "workos": ("organization_membership.created",),
    },
    "member.removed": {
        "clerk": ("organizationMembership.deleted",),
        "frontegg": ("frontegg.user.removedFromTenant",),
        "github": ("org.remove_member",),
        "workos": ("organization_membership.deleted",),
    },
    "role.assigned": {
        "auth0": ("sapi",),
        "clerk": ("organizationMembership.updated",),
        "frontegg": ("frontegg.group.roles.updated",),
        "github": ("org.update_member",),
        "google_workspace": ("ASSIGN_ROLE",),
        "keycloak": ("REALM_ROLE_MAPPING-CREATE", "CLIENT_ROLE_MAPPING-CREATE"),
        "microsoft": ("Add member to role", "Add eligible member to role"),
        "okta": ("user.account.privilege.grant",),
        "workos": ("organization_membership.updated",),
    },
    "role.removed": {
        "auth0": ("sapi",),
        "clerk": ("organizationMembership.updated",),
        "github": ("org.update_member",),
        "keycloak": ("REALM_ROLE_MAPPING-DELETE", "CLIENT_ROLE_MAPPING-DELETE"),
        "okta": ("user.account.privilege.revoke",),
        "workos": ("organization_membership.updated",),
    },
    "role.created": {
        "google_workspace": ("CREATE_ROLE",),
    },
    "role.deleted": {
        "google_workspace": ("DELETE_ROLE",),
    },
    "group.member_added": {
        "frontegg": ("frontegg.group.users.added",),
        "github": ("team.add_member",),
        "keycloak": ("GROUP_MEMBERSHIP-CREATE",),
        "okta": ("group.user_membership.add",),
        "workos": ("group.member_added", "dsync.group.user_added"),
    },
    "group.member_removed": {
        "frontegg": ("frontegg.group.users.removed",),
        "github": ("team.remove_member",),
        "keycloak": ("GROUP_MEMBERSHIP-DELETE",),
        "okta": ("group.user_membership.remove",),
        "workos": ("group.member_removed", "dsync.group.user_removed"),
    },
    "group.created": {"github": ("team.create",), "workos": ("dsync.group.created",)},
    "group.updated": {
        "workos": ("dsync.group.updated",),
    },
    "group.deleted": {"github": ("team.destroy",), "workos": ("dsync.group.deleted",)},
    "api_key.created": {
        "auth0": ("sapi",),
        "frontegg": ("frontegg.userApiToken.created", "frontegg.tenantApiToken.created"),
        "github": ("personal_access_token.*", "public_key.create"),
        "keycloak": ("CLIENT-CREATE",),
        "microsoft": ("Add service principal credentials",),
        "okta": ("system.api_token.create",),
        "workos": ("api_key.created",),
    },
    "api_key.revoked": {
        "auth0": ("sapi",),
        "frontegg": ("frontegg.userApiToken.deleted", "frontegg.tenantApiToken.deleted"),
        "okta": ("system.api_token.revoke",),
        "workos": ("api_key.revoked",),
    },
    "app.authorized": {
        "github": ("integration_installation.create",),
        "google_workspace": ("authorize",),
        "keycloak": ("GRANT_CONSENT",),
        "microsoft": ("Add delegated permission grant",),
    },
    "app.revoked": {
        "keycloak": ("REVOKE_GRANT",),
    },
    "sso.changed": {
        "auth0": ("sapi", "ss_sso_*"),
        "github": ("org.saml_enabled", "org.saml_disabled"),
        "keycloak": ("IDENTITY_PROVIDER-*",),
        "microsoft": ("Set federation settings on domain",),
        "workos": ("connection.*",),
    },
    "directory.changed": {
        "workos": ("dsync.activated", "dsync.deactivated", "dsync.deleted"),
    },
    "domain.verified": {
        "workos": ("organization_domain.verified",),
    },
    "policy.changed": {
        "auth0": ("sapi",),
        "github": ("org.enable_two_factor_requirement", "ip_allow_list.*"),
        "google_workspace": ("CHANGE_APPLICATION_SETTING", "ADD_TRUSTED_DOMAINS"),
        "microsoft": ("Update conditional access policy",),
        "okta": ("policy.*", "zone.*"),
    },
    "settings.changed": {
        "auth0": ("sapi",),
        "clerk": ("organization.updated",),
        "keycloak": ("REALM-UPDATE",),
        "okta": ("application.lifecycle.*",),
    },
    "tenant.created": {
        "frontegg": ("frontegg.tenant.created",),
        "workos": ("organization.created",),
    },
    "tenant.updated": {
        "frontegg": ("frontegg.tenant.updated",),
        "workos": ("organization.updated",),
    },
    "tenant.deleted": {
        "frontegg": ("frontegg.tenant.deleted",),
        "workos": ("organization.deleted",),
    },
    "data.exported": {
        "github": ("user.audit_log_export",),
        "google_workspace": ("CUSTOMER_TAKEOUT_SUCCEEDED",),
    },
    "threat.detected": {
        "github": ("user.sign_in_from_unrecognized_device",),
        "google_workspace": ("suspicious_login", "gov_attack_warning"),
    },
}
