"""Sentences for the actions of the vocabulary and for auditlane's own actions, and the words for all other actions.

A sentence is a template. `auditlane.contract.sentence` defines the placeholders and fills them in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from auditlane.contract.vocabulary.labels import Label


@dataclass(frozen=True, slots=True)
class Sentence:
    """An action's templates. `attempted` is for events that failed or were denied."""

    done: Label
    attempted: Label


@dataclass(frozen=True, slots=True)
class Grammar:
    """The words of one language.

    `verbs` maps the last part of an action's name to (done, attempted), and `neutral` is the pair for all other
    actions. `nouns` maps the type of a resource to (noun, indefinite phrase). `articles` has the phrases for other
    types as (pattern, phrase with `{noun}`), and the first match applies. `actors` maps the type of an actor without a
    name and ID to a phrase.
    """

    neutral: tuple[str, str]
    verbs: Mapping[str, tuple[str, str]]
    nouns: Mapping[str, tuple[str, str]]
    articles: tuple[tuple[str, str], ...]
    actors: Mapping[str, str]
    nobody: str
    nothing: str


def _act(past: str, infinitive: str, participle: str, zu_infinitive: str) -> Sentence:
    """Return "Jane {past}", "Jane attempted to {infinitive}" and the same in German."""
    return Sentence(
        Label(f"{{actor}} {past}", f"{{actor}} hat {participle}"),
        Label(f"{{actor}} attempted to {infinitive}", f"{{actor}} versuchte, {zu_infinitive}"),
    )


def _fact(en: str, de: str) -> Sentence:
    """Return a sentence that is true whatever the outcome."""
    return Sentence(Label(en, de), Label(en, de))


_SIGN_IN: Final = _act("signed in", "sign in", "sich angemeldet", "sich anzumelden")
_SIGN_OUT: Final = _act("signed out", "sign out", "sich abgemeldet", "sich abzumelden")

SENTENCES: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        # user management
        "user.login": _SIGN_IN,
        "user.login_failed": _fact("{actor} failed to sign in", "{actor} konnte sich nicht anmelden"),
        "user.logout": _SIGN_OUT,
        "session.revoked": _act(
            "revoked sessions of {object}",
            "revoke sessions of {object}",
            "Sitzungen widerrufen: {object}",
            "Sitzungen zu widerrufen: {object}",
        ),
        "user.impersonated": _act(
            "began to act as {object}",
            "act as {object}",
            "begonnen, im Namen eines anderen zu handeln: {object}",
            "im Namen eines anderen zu handeln: {object}",
        ),
        "user.impersonation_ended": _act(
            "stopped acting as {object}",
            "stop acting as {object}",
            "aufgehört, im Namen eines anderen zu handeln: {object}",
            "nicht mehr im Namen eines anderen zu handeln: {object}",
        ),
        "user.password_changed": _act(
            "changed the password of {object}",
            "change the password of {object}",
            "das Passwort geändert: {object}",
            "das Passwort zu ändern: {object}",
        ),
        "user.password_reset_requested": _act(
            "requested a password reset for {object}",
            "request a password reset for {object}",
            "das Zurücksetzen des Passworts für {object} angefordert",
            "das Zurücksetzen des Passworts für {object} anzufordern",
        ),
        "user.password_reset": _act(
            "reset the password of {object}",
            "reset the password of {object}",
            "das Passwort zurückgesetzt: {object}",
            "das Passwort zurückzusetzen: {object}",
        ),
        "user.mfa_enrolled": _act(
            "added a second factor for {object}",
            "add a second factor for {object}",
            "einen zweiten Faktor für {object} hinzugefügt",
            "einen zweiten Faktor für {object} hinzuzufügen",
        ),
        "user.mfa_removed": _act(
            "removed a second factor from {object}",
            "remove a second factor from {object}",
            "einen zweiten Faktor für {object} entfernt",
            "einen zweiten Faktor für {object} zu entfernen",
        ),
        "user.email_changed": _act(
            "changed the email address of {object}",
            "change the email address of {object}",
            "die E-Mail-Adresse geändert: {object}",
            "die E-Mail-Adresse zu ändern: {object}",
        ),
        "user.email_verified": _act(
            "verified the email address of {object}",
            "verify the email address of {object}",
            "die E-Mail-Adresse bestätigt: {object}",
            "die E-Mail-Adresse zu bestätigen: {object}",
        ),
        "user.invited": _act(
            "invited {metadata.email}",
            "invite {metadata.email}",
            "eine Einladung verschickt: {metadata.email}",
            "eine Einladung zu verschicken: {metadata.email}",
        ),
        "user.identity_linked": _act(
            "linked an external identity to {object}",
            "link an external identity to {object}",
            "eine externe Identität verknüpft: {object}",
            "eine externe Identität zu verknüpfen: {object}",
        ),
        "user.identity_unlinked": _act(
            "unlinked an external identity from {object}",
            "unlink an external identity from {object}",
            "die Verknüpfung mit einer externen Identität aufgehoben: {object}",
            "die Verknüpfung mit einer externen Identität aufzuheben: {object}",
        ),
        "role.assigned": _act(
            "assigned the role {metadata.role} to {object}",
            "assign the role {metadata.role} to {object}",
            "die Rolle {metadata.role} an {object} vergeben",
            "die Rolle {metadata.role} an {object} zu vergeben",
        ),
        "role.removed": _act(
            "removed the role {metadata.role} from {object}",
            "remove the role {metadata.role} from {object}",
            "die Rolle {metadata.role} entzogen: {object}",
            "die Rolle {metadata.role} zu entziehen: {object}",
        ),
        "permission.granted": _act(
            "granted the permission {metadata.permission} to {object}",
            "grant the permission {metadata.permission} to {object}",
            "die Berechtigung {metadata.permission} an {object} vergeben",
            "die Berechtigung {metadata.permission} an {object} zu vergeben",
        ),
        "permission.revoked": _act(
            "revoked the permission {metadata.permission} from {object}",
            "revoke the permission {metadata.permission} from {object}",
            "die Berechtigung {metadata.permission} entzogen: {object}",
            "die Berechtigung {metadata.permission} zu entziehen: {object}",
        ),
        "group.member_added": _act(
            "added user {metadata.user} to {object}",
            "add user {metadata.user} to {object}",
            "Benutzer {metadata.user} hinzugefügt: {object}",
            "Benutzer {metadata.user} hinzuzufügen: {object}",
        ),
        "group.member_removed": _act(
            "removed user {metadata.user} from {object}",
            "remove user {metadata.user} from {object}",
            "Benutzer {metadata.user} entfernt: {object}",
            "Benutzer {metadata.user} zu entfernen: {object}",
        ),
        "app.revoked": _act(
            "revoked the authorization of {object}",
            "revoke the authorization of {object}",
            "die Autorisierung widerrufen: {object}",
            "die Autorisierung zu widerrufen: {object}",
        ),
        "threat.detected": _fact("A threat to {object} was detected", "Bedrohung für {object} erkannt"),
        # performance and maintenance
        "lag.detected": _fact("Processing of {object} is delayed", "Die Verarbeitung ist verzögert: {object}"),
        "lag.cleared": _fact("Processing of {object} is up to date", "Die Verarbeitung ist wieder aktuell: {object}"),
        "delivery.delayed": _fact("Delivery by {object} is delayed", "Die Zustellung ist verzögert: {object}"),
        "delivery.recovered": _fact(
            "Delivery by {object} has recovered", "Die Zustellung ist wiederhergestellt: {object}"
        ),
        "events.dropped": _fact("{object} lost events: {metadata.count}", "Ereignisse verloren: {metadata.count}"),
        "events.refused": _fact("Events were rejected: {metadata.count}", "Ereignisse abgelehnt: {metadata.count}"),
        "events.replayed": _fact("{actor} replayed events", "{actor} hat Ereignisse erneut verarbeitet"),
        "circuit_breaker.opened": _fact(
            "Processing of {object} was halted after rejections",
            "Die Verarbeitung wurde nach Ablehnungen angehalten: {object}",
        ),
        "circuit_breaker.closed": _fact(
            "Processing of {object} has resumed", "Die Verarbeitung wurde fortgesetzt: {object}"
        ),
        "service.started": _fact("Service {resource_id} started", "Der Dienst {resource_id} wurde gestartet"),
        "service.stopped": _fact("Service {resource_id} stopped", "Der Dienst {resource_id} wurde beendet"),
        "worker.restarted": _fact("Worker {resource_id} restarted", "Der Worker {resource_id} wurde neu gestartet"),
        "version.changed": _fact(
            "Version changed from {metadata.previous} to {metadata.version}",
            "Version geändert von {metadata.previous} auf {metadata.version}",
        ),
        "retention.applied": _fact("Old events were deleted", "Alte Ereignisse wurden gelöscht"),
        "security.checked": _fact("Security was checked", "Die Sicherheit wurde überprüft"),
        "certificate.expiring": _fact(
            "Certificate {resource_id} expires soon", "Zertifikat {resource_id} läuft bald ab"
        ),
        "key.expiring": _fact("Key {resource_id} expires soon", "Schlüssel {resource_id} läuft bald ab"),
        "disk.filling": _fact("Disk space is running low on {resource_id}", "Speicherplatz wird knapp: {resource_id}"),
        "disk.freed": _fact(
            "Disk space is available again on {resource_id}", "Speicherplatz ist wieder verfügbar: {resource_id}"
        ),
        "task.failed": _fact("Task {resource_id} failed", "Aufgabe {resource_id} ist fehlgeschlagen"),
        "task.retried": _fact("Task {resource_id} was retried", "Aufgabe {resource_id} wurde wiederholt"),
        "request.slow": _fact("A request by {actor} was slow", "Eine Anfrage war langsam: {actor}"),
        "rate.limited": _fact("{actor} reached a rate limit", "{actor} hat ein Anfragelimit erreicht"),
        # auditlane's own events
        "access.denied": _fact("{actor} was denied access", "{actor} wurde der Zugriff verweigert"),
        "audit_log.viewed_as_tenant": _act(
            "viewed the audit log as an operator",
            "view the audit log as an operator",
            "das Audit-Log als Betreiber angesehen",
            "das Audit-Log als Betreiber anzusehen",
        ),
        "token.refused": _fact("{actor} was refused a token", "{actor} wurde ein Token verweigert"),
        "link.issued": _act("issued a link", "issue a link", "einen Link erstellt", "einen Link zu erstellen"),
        "link.opened": _act("opened a link", "open a link", "einen Link geöffnet", "einen Link zu öffnen"),
        "audit_logs.enabled": _act(
            "switched on the audit log",
            "switch on the audit log",
            "das Audit-Log eingeschaltet",
            "das Audit-Log einzuschalten",
        ),
        "audit_logs.disabled": _act(
            "switched off the audit log",
            "switch off the audit log",
            "das Audit-Log ausgeschaltet",
            "das Audit-Log auszuschalten",
        ),
        "loss.accepted": _act(
            "accepted the loss of events",
            "accept the loss of events",
            "den Verlust von Ereignissen akzeptiert",
            "den Verlust von Ereignissen zu akzeptieren",
        ),
        "dead_letters.closed": _act(
            "closed rejected messages",
            "close rejected messages",
            "abgelehnte Nachrichten geschlossen",
            "abgelehnte Nachrichten zu schließen",
        ),
        "installation.viewed": _act(
            "viewed the installation status",
            "view the installation status",
            "den Zustand der Installation angesehen",
            "den Zustand der Installation anzusehen",
        ),
    }
)

# The verb's names, past, infinitive, participle, infinitive with "zu". The object follows in English and precedes the
# German verb, unless the text contains it.
_VERBS: Final = (
    ("accepted accept", "accepted", "accept", "angenommen", "anzunehmen"),
    ("accessed access", "accessed", "access", "auf {object} zugegriffen", "auf {object} zuzugreifen"),
    ("activated activate", "activated", "activate", "aktiviert", "zu aktivieren"),
    ("added add", "added", "add", "hinzugefügt", "hinzuzufügen"),
    ("approved approve", "approved", "approve", "genehmigt", "zu genehmigen"),
    ("archived archive", "archived", "archive", "archiviert", "zu archivieren"),
    ("assigned assign", "assigned", "assign", "zugewiesen", "zuzuweisen"),
    ("authorized authorize", "authorized", "authorize", "autorisiert", "zu autorisieren"),
    ("blocked block", "blocked", "block", "blockiert", "zu blockieren"),
    ("cancelled canceled cancel", "cancelled", "cancel", "abgebrochen", "abzubrechen"),
    ("changed change", "changed", "change", "geändert", "zu ändern"),
    ("closed close", "closed", "close", "geschlossen", "zu schließen"),
    ("completed complete", "completed", "complete", "abgeschlossen", "abzuschließen"),
    ("confirmed confirm", "confirmed", "confirm", "bestätigt", "zu bestätigen"),
    ("connected connect", "connected", "connect", "verbunden", "zu verbinden"),
    ("copied copy", "copied", "copy", "kopiert", "zu kopieren"),
    ("created create", "created", "create", "angelegt", "anzulegen"),
    ("deactivated deactivate", "deactivated", "deactivate", "deaktiviert", "zu deaktivieren"),
    ("declined decline", "declined", "decline", "abgelehnt", "abzulehnen"),
    ("deleted delete", "deleted", "delete", "gelöscht", "zu löschen"),
    ("deployed deploy", "deployed", "deploy", "bereitgestellt", "bereitzustellen"),
    ("disabled disable", "disabled", "disable", "deaktiviert", "zu deaktivieren"),
    ("disconnected disconnect", "disconnected", "disconnect", "getrennt", "zu trennen"),
    ("downloaded download", "downloaded", "download", "heruntergeladen", "herunterzuladen"),
    ("duplicated duplicate", "duplicated", "duplicate", "dupliziert", "zu duplizieren"),
    ("edited edit", "edited", "edit", "bearbeitet", "zu bearbeiten"),
    ("enabled enable", "enabled", "enable", "aktiviert", "zu aktivieren"),
    ("exported export", "exported", "export", "exportiert", "zu exportieren"),
    ("granted grant", "granted", "grant", "erteilt", "zu erteilen"),
    ("imported import", "imported", "import", "importiert", "zu importieren"),
    ("installed install", "installed", "install", "installiert", "zu installieren"),
    ("invited invite", "invited", "invite", "eingeladen", "einzuladen"),
    ("issued issue", "issued", "issue", "ausgestellt", "auszustellen"),
    ("linked link", "linked", "link", "verknüpft", "zu verknüpfen"),
    ("locked lock", "locked", "lock", "gesperrt", "zu sperren"),
    ("merged merge", "merged", "merge", "zusammengeführt", "zusammenzuführen"),
    ("modified modify", "modified", "modify", "geändert", "zu ändern"),
    ("moved move", "moved", "move", "verschoben", "zu verschieben"),
    ("opened open", "opened", "open", "geöffnet", "zu öffnen"),
    ("paid pay", "paid", "pay", "bezahlt", "zu bezahlen"),
    ("paused pause", "paused", "pause", "pausiert", "zu pausieren"),
    ("printed print", "printed", "print", "gedruckt", "zu drucken"),
    ("published publish", "published", "publish", "veröffentlicht", "zu veröffentlichen"),
    ("read", "read", "read", "gelesen", "zu lesen"),
    ("refunded refund", "refunded", "refund", "erstattet", "zu erstatten"),
    ("rejected reject", "rejected", "reject", "abgelehnt", "abzulehnen"),
    ("removed remove", "removed", "remove", "entfernt", "zu entfernen"),
    ("renamed rename", "renamed", "rename", "umbenannt", "umzubenennen"),
    ("renewed renew", "renewed", "renew", "erneuert", "zu erneuern"),
    ("requested request", "requested", "request", "angefordert", "anzufordern"),
    ("reset", "reset", "reset", "zurückgesetzt", "zurückzusetzen"),
    ("restored restore", "restored", "restore", "wiederhergestellt", "wiederherzustellen"),
    ("resumed resume", "resumed", "resume", "fortgesetzt", "fortzusetzen"),
    ("revoked revoke", "revoked", "revoke", "widerrufen", "zu widerrufen"),
    ("rotated rotate", "rotated", "rotate", "ausgetauscht", "auszutauschen"),
    ("scheduled schedule", "scheduled", "schedule", "geplant", "zu planen"),
    ("sent send", "sent", "send", "gesendet", "zu senden"),
    ("shared share", "shared", "share", "freigegeben", "freizugeben"),
    ("signed sign", "signed", "sign", "unterschrieben", "zu unterschreiben"),
    ("started start", "started", "start", "gestartet", "zu starten"),
    ("stopped stop", "stopped", "stop", "beendet", "zu beenden"),
    ("submitted submit", "submitted", "submit", "eingereicht", "einzureichen"),
    ("suspended suspend", "suspended", "suspend", "gesperrt", "zu sperren"),
    ("transferred transfer", "transferred", "transfer", "übertragen", "zu übertragen"),
    ("unlinked unlink", "unlinked", "unlink", "getrennt", "zu trennen"),
    ("unlocked unlock", "unlocked", "unlock", "entsperrt", "zu entsperren"),
    ("updated update", "updated", "update", "geändert", "zu ändern"),
    ("uploaded upload", "uploaded", "upload", "hochgeladen", "hochzuladen"),
    ("verified verify", "verified", "verify", "bestätigt", "zu bestätigen"),
    ("viewed view", "viewed", "view", "angesehen", "anzusehen"),
)

# English noun with its indefinite phrase, and the same in German, in the accusative.
_NOUNS: Final = {
    "account": ("account", "an account", "Konto", "ein Konto"),
    "api_key": ("API key", "an API key", "API-Schlüssel", "einen API-Schlüssel"),
    "app": ("app", "an app", "App", "eine App"),
    "application": ("application", "an application", "Anwendung", "eine Anwendung"),
    "audit_log": ("audit log", "the audit log", "Audit-Log", "das Audit-Log"),
    "canary": ("canary", "a canary", "Kontrollereignis", "ein Kontrollereignis"),
    "certificate": ("certificate", "a certificate", "Zertifikat", "ein Zertifikat"),
    "client": ("client", "a client", "Client", "einen Client"),
    "comment": ("comment", "a comment", "Kommentar", "einen Kommentar"),
    "connection": ("connection", "a connection", "Verbindung", "eine Verbindung"),
    "contract": ("contract", "a contract", "Vertrag", "einen Vertrag"),
    "customer": ("customer", "a customer", "Kunde", "einen Kunden"),
    "data": ("data", "data", "Daten", "Daten"),
    "device": ("device", "a device", "Gerät", "ein Gerät"),
    "directory": ("directory", "a directory", "Verzeichnis", "ein Verzeichnis"),
    "document": ("document", "a document", "Dokument", "ein Dokument"),
    "domain": ("domain", "a domain", "Domain", "eine Domain"),
    "event": ("event", "an event", "Ereignis", "ein Ereignis"),
    "export": ("export", "an export", "Export", "einen Export"),
    "file": ("file", "a file", "Datei", "eine Datei"),
    "folder": ("folder", "a folder", "Ordner", "einen Ordner"),
    "group": ("group", "a group", "Gruppe", "eine Gruppe"),
    "installation": ("installation", "the installation", "Installation", "die Installation"),
    "integration": ("integration", "an integration", "Integration", "eine Integration"),
    "invitation": ("invitation", "an invitation", "Einladung", "eine Einladung"),
    "invoice": ("invoice", "an invoice", "Rechnung", "eine Rechnung"),
    "key": ("key", "a key", "Schlüssel", "einen Schlüssel"),
    "message": ("message", "a message", "Nachricht", "eine Nachricht"),
    "order": ("order", "an order", "Bestellung", "eine Bestellung"),
    "organization": ("organization", "an organization", "Organisation", "eine Organisation"),
    "page": ("page", "a page", "Seite", "eine Seite"),
    "partition": ("partition", "a partition", "Partition", "eine Partition"),
    "payment": ("payment", "a payment", "Zahlung", "eine Zahlung"),
    "policy": ("policy", "a policy", "Richtlinie", "eine Richtlinie"),
    "product": ("product", "a product", "Produkt", "ein Produkt"),
    "project": ("project", "a project", "Projekt", "ein Projekt"),
    "provenance_key": ("provenance key", "provenance keys", "Herkunftsschlüssel", "Herkunftsschlüssel"),
    "record": ("record", "a record", "Datensatz", "einen Datensatz"),
    "report": ("report", "a report", "Bericht", "einen Bericht"),
    "role": ("role", "a role", "Rolle", "eine Rolle"),
    "route": ("route", "a route", "Route", "eine Route"),
    "schema": ("schema", "a schema", "Schema", "ein Schema"),
    "saved_view": ("view", "a view", "Ansicht", "eine Ansicht"),
    "secret": ("secret", "a secret", "Geheimnis", "ein Geheimnis"),
    "service": ("service", "a service", "Dienst", "einen Dienst"),
    "session": ("session", "a session", "Sitzung", "eine Sitzung"),
    "settings": ("settings", "settings", "Einstellungen", "Einstellungen"),
    "signing_key": ("signing key", "signing keys", "Signaturschlüssel", "Signaturschlüssel"),
    "structure": ("data structure", "the data structure", "Datenstruktur", "die Datenstruktur"),
    "subscription": ("subscription", "a subscription", "Abonnement", "ein Abonnement"),
    "task": ("task", "a task", "Aufgabe", "eine Aufgabe"),
    "team": ("team", "a team", "Team", "ein Team"),
    "tenant": ("tenant", "a tenant", "Mandant", "einen Mandanten"),
    "ticket": ("ticket", "a ticket", "Ticket", "ein Ticket"),
    "token": ("token", "a token", "Token", "ein Token"),
    "topic": ("topic", "a topic", "Topic", "ein Topic"),
    "user": ("user", "a user", "Benutzer", "einen Benutzer"),
    "viewer_token": ("viewer token", "a viewer token", "Viewer-Token", "ein Viewer-Token"),
    "webhook": ("webhook", "a webhook", "Webhook", "einen Webhook"),
    "workspace": ("workspace", "a workspace", "Arbeitsbereich", "einen Arbeitsbereich"),
}


def _with_object(text: str, with_object: str) -> str:
    return text if "{object}" in text else with_object.format(text)


def _verbs() -> dict[str, Sentence]:
    found = {
        name: _act(
            f"{past} {{object}}",
            f"{infinitive} {{object}}",
            _with_object(participle, "{{object}} {}"),
            _with_object(zu_infinitive, "{{object}} {}"),
        )
        for names, past, infinitive, participle, zu_infinitive in _VERBS
        for name in names.split()
    }
    found |= dict.fromkeys(("login", "logged_in", "signed_in", "signin"), _SIGN_IN)
    return found | dict.fromkeys(("logout", "logged_out", "signed_out", "signout"), _SIGN_OUT)


_SENTENCE_OF_VERB: Final = _verbs()

GRAMMAR: Final[Mapping[str, Grammar]] = MappingProxyType(
    {
        "en": Grammar(
            neutral=("{actor} triggered “{action}” for {object}", "{actor} attempted “{action}” for {object}"),
            verbs={name: (verb.done.en, verb.attempted.en) for name, verb in _SENTENCE_OF_VERB.items()},
            nouns={name: (noun[0], noun[1]) for name, noun in _NOUNS.items()},
            articles=(("s$", "{noun}"), ("^[aeioAEIO]", "an {noun}"), ("", "a {noun}")),
            actors={"system": "System", "service": "A service", "api_key": "An API key"},
            nobody="Someone",
            nothing="something",
        ),
        "de": Grammar(
            neutral=(
                "{actor} hat „{action}“ für {object} ausgelöst",
                "{actor} versuchte, „{action}“ für {object} auszulösen",
            ),
            verbs={name: (verb.done.de, verb.attempted.de) for name, verb in _SENTENCE_OF_VERB.items()},
            nouns={name: (noun[2], noun[3]) for name, noun in _NOUNS.items()},
            articles=(("", "ein Objekt vom Typ „{noun}“"),),
            actors={"system": "System", "service": "Ein Dienst", "api_key": "Ein API-Schlüssel"},
            nobody="Jemand",
            nothing="etwas",
        ),
    }
)
