"""What our own pages say around the viewer, in the languages that the viewer has."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "en": {
        "log": "Audit log",
        "of": "Audit log of {tenant}",
        "leave": "Leave",
        "scripts": "This page needs JavaScript.",
        "plain": "Show the log as a plain page",
        "waiting": "Waiting for the page around this one to say who you are.",
        "alone": "This page is made to be shown inside of another one.",
        "off": "Audit logs are off",
        "not_yours": "This log is not yours to see",
        "link_needed": "A link is needed to see this page",
        "ended": "The page was open for too long, and its session has ended.",
        "open_again": "Open it from the product that showed it to you. "
        "On your own machine, make a link that works once:",
    },
    "de": {
        "log": "Audit-Log",
        "of": "Audit-Log von {tenant}",
        "leave": "Verlassen",
        "scripts": "Diese Seite braucht JavaScript.",
        "plain": "Das Log als einfache Seite zeigen",
        "waiting": "Die Seite, in der diese steht, hat noch nicht gesagt, wer Sie sind.",
        "alone": "Diese Seite ist dafür gemacht, in einer anderen gezeigt zu werden.",
        "off": "Audit-Logs sind abgeschaltet",
        "not_yours": "Dieses Log dürfen Sie nicht sehen",
        "link_needed": "Für diese Seite braucht es einen Link",
        "ended": "Die Seite war zu lange offen, und ihre Sitzung ist abgelaufen.",
        "open_again": "Öffnen Sie sie aus dem Produkt, das sie Ihnen gezeigt hat. "
        "Auf dem eigenen Rechner macht dies einen Link, der einmal gilt:",
    },
}


def language(accepted: str) -> str:
    """The first language of the header Accept-Language that there are texts in, by its weights; else English."""
    wished: list[tuple[float, str]] = []
    for one in accepted.split(","):
        name, _, parameter = one.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        wished.append((-weight, name.partition("-")[0].lower()))
    return next((name for _, name in sorted(wished, key=lambda one: one[0]) if name in TEXTS), "en")
