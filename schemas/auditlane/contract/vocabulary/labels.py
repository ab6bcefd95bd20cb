"""The display names of actions, both the vocabulary's and auditlane's own, in each interface language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Label:
    """An action's label in English and German, phrased as an event's headline."""

    en: str
    de: str


_OF_VOCABULARY: Final = {
    # user management
    "user.login": Label("Signed in", "Anmeldung"),
    "user.login_failed": Label("Sign-in failed", "Anmeldung fehlgeschlagen"),
    "user.logout": Label("Signed out", "Abmeldung"),
    "session.revoked": Label("Session revoked", "Sitzung widerrufen"),
    "user.locked": Label("User locked", "Benutzer gesperrt"),
    "user.unlocked": Label("User unlocked", "Benutzer entsperrt"),
    "user.impersonated": Label("Impersonation started", "Identitätswechsel begonnen"),
    "user.impersonation_ended": Label("Impersonation ended", "Identitätswechsel beendet"),
    "user.password_changed": Label("Password changed", "Passwort geändert"),
    "user.password_reset_requested": Label("Password reset requested", "Zurücksetzen des Passworts angefordert"),
    "user.password_reset": Label("Password reset", "Passwort zurückgesetzt"),
    "user.mfa_enrolled": Label("Second factor added", "Zweiter Faktor hinzugefügt"),
    "user.mfa_removed": Label("Second factor removed", "Zweiter Faktor entfernt"),
    "user.email_changed": Label("Email address changed", "E-Mail-Adresse geändert"),
    "user.email_verified": Label("Email address verified", "E-Mail-Adresse bestätigt"),
    "user.created": Label("User created", "Benutzer angelegt"),
    "user.updated": Label("User updated", "Benutzer geändert"),
    "user.enabled": Label("User enabled", "Benutzer aktiviert"),
    "user.disabled": Label("User disabled", "Benutzer deaktiviert"),
    "user.deleted": Label("User deleted", "Benutzer gelöscht"),
    "user.invited": Label("User invited", "Benutzer eingeladen"),
    "invitation.accepted": Label("Invitation accepted", "Einladung angenommen"),
    "invitation.revoked": Label("Invitation revoked", "Einladung zurückgezogen"),
    "user.identity_linked": Label("External identity linked", "Externe Identität verknüpft"),
    "user.identity_unlinked": Label("External identity unlinked", "Verknüpfung mit externer Identität aufgehoben"),
    "member.added": Label("Member added", "Mitglied hinzugefügt"),
    "member.removed": Label("Member removed", "Mitglied entfernt"),
    "role.assigned": Label("Role assigned", "Rolle zugewiesen"),
    "role.removed": Label("Role removed", "Rolle entzogen"),
    "permission.granted": Label("Permission granted", "Berechtigung erteilt"),
    "permission.revoked": Label("Permission revoked", "Berechtigung entzogen"),
    "role.created": Label("Role created", "Rolle angelegt"),
    "role.updated": Label("Role updated", "Rolle geändert"),
    "role.deleted": Label("Role deleted", "Rolle gelöscht"),
    "group.created": Label("Group created", "Gruppe angelegt"),
    "group.updated": Label("Group updated", "Gruppe geändert"),
    "group.deleted": Label("Group deleted", "Gruppe gelöscht"),
    "group.member_added": Label("Group member added", "Gruppenmitglied hinzugefügt"),
    "group.member_removed": Label("Group member removed", "Gruppenmitglied entfernt"),
    "api_key.created": Label("API key created", "API-Schlüssel erstellt"),
    "api_key.revoked": Label("API key revoked", "API-Schlüssel widerrufen"),
    "app.authorized": Label("App authorized", "App autorisiert"),
    "app.revoked": Label("App authorization revoked", "Autorisierung der App widerrufen"),
    "sso.changed": Label("Single sign-on changed", "Single Sign-on geändert"),
    "directory.changed": Label("Directory changed", "Verzeichnis geändert"),
    "domain.verified": Label("Domain verified", "Domain bestätigt"),
    "policy.changed": Label("Policy changed", "Richtlinie geändert"),
    "settings.changed": Label("Settings changed", "Einstellungen geändert"),
    "tenant.created": Label("Tenant created", "Mandant angelegt"),
    "tenant.updated": Label("Tenant updated", "Mandant geändert"),
    "tenant.deleted": Label("Tenant deleted", "Mandant gelöscht"),
    "data.exported": Label("Data exported", "Daten exportiert"),
    "data.imported": Label("Data imported", "Daten importiert"),
    "threat.detected": Label("Threat detected", "Bedrohung erkannt"),
    # performance and maintenance
    "lag.detected": Label("Processing delayed", "Verarbeitung verzögert"),
    "lag.cleared": Label("Processing up to date", "Verarbeitung wieder aktuell"),
    "delivery.delayed": Label("Delivery delayed", "Zustellung verzögert"),
    "delivery.recovered": Label("Delivery recovered", "Zustellung wiederhergestellt"),
    "events.dropped": Label("Events lost", "Ereignisse verloren"),
    "events.refused": Label("Events rejected", "Ereignisse abgelehnt"),
    "events.replayed": Label("Events replayed", "Ereignisse erneut verarbeitet"),
    "circuit_breaker.opened": Label("Processing halted after rejections", "Verarbeitung nach Ablehnungen angehalten"),
    "circuit_breaker.closed": Label("Processing resumed", "Verarbeitung fortgesetzt"),
    "service.started": Label("Service started", "Dienst gestartet"),
    "service.stopped": Label("Service stopped", "Dienst beendet"),
    "worker.restarted": Label("Worker restarted", "Worker neu gestartet"),
    "version.changed": Label("Version changed", "Version geändert"),
    "schema.changed": Label("Schema changed", "Schema geändert"),
    "retention.applied": Label("Old events deleted", "Alte Ereignisse gelöscht"),
    "security.checked": Label("Security checked", "Sicherheit überprüft"),
    "certificate.expiring": Label("Certificate expires soon", "Zertifikat läuft bald ab"),
    "certificate.renewed": Label("Certificate renewed", "Zertifikat erneuert"),
    "key.expiring": Label("Key expires soon", "Schlüssel läuft bald ab"),
    "key.renewed": Label("Key renewed", "Schlüssel erneuert"),
    "disk.filling": Label("Disk space running low", "Speicherplatz wird knapp"),
    "disk.freed": Label("Disk space available again", "Speicherplatz wieder verfügbar"),
    "task.failed": Label("Task failed", "Aufgabe fehlgeschlagen"),
    "task.retried": Label("Task retried", "Aufgabe wiederholt"),
    "task.revoked": Label("Task revoked", "Aufgabe widerrufen"),
    "request.slow": Label("Slow request", "Langsame Anfrage"),
    "rate.limited": Label("Rate limit reached", "Anfragelimit erreicht"),
}
_OF_OWN_TRAIL: Final = {
    "audit_log.viewed": Label("Audit log viewed", "Audit-Log angesehen"),
    "audit_log.viewed_as_tenant": Label("Audit log viewed by an operator", "Audit-Log vom Betreiber angesehen"),
    "audit_log.exported": Label("Audit log exported", "Audit-Log exportiert"),
    "export.requested": Label("Export requested", "Export angefordert"),
    "export.removed": Label("Export removed", "Export entfernt"),
    "access.denied": Label("Access denied", "Zugriff verweigert"),
    "token.issued": Label("Token issued", "Token ausgestellt"),
    "token.refused": Label("Token refused", "Token verweigert"),
    "viewer_token.issued": Label("Viewer token issued", "Token für die Ansicht ausgestellt"),
    "link.issued": Label("Link issued", "Link ausgestellt"),
    "link.opened": Label("Link opened", "Link geöffnet"),
    "test_event.sent": Label("Test event sent", "Testereignis gesendet"),
    "canary.sent": Label("Canary sent", "Kontrollereignis gesendet"),
    "structure.changed": Label("Data structure changed", "Datenstruktur geändert"),
    "audit_logs.enabled": Label("Audit log switched on", "Audit-Log eingeschaltet"),
    "audit_logs.disabled": Label("Audit log switched off", "Audit-Log ausgeschaltet"),
    "key.created": Label("Key created", "Schlüssel erstellt"),
    "key.rotated": Label("Key rotated", "Schlüssel rotiert"),
    "key.revoked": Label("Key revoked", "Schlüssel widerrufen"),
    "signing_keys.rotated": Label("Signing keys rotated", "Signaturschlüssel rotiert"),
    "provenance_keys.rotated": Label("Provenance keys rotated", "Herkunftsschlüssel rotiert"),
    "loss.accepted": Label("Loss of events accepted", "Verlust von Ereignissen akzeptiert"),
    "installation.viewed": Label("Installation status viewed", "Zustand der Installation angesehen"),
}
LABELS: Final[Mapping[str, Label]] = MappingProxyType(_OF_VOCABULARY | _OF_OWN_TRAIL)
