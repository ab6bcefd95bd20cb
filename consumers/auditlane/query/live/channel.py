"""What live streams of one tenant with one filter share."""

from __future__ import annotations

from dataclasses import dataclass, field

from auditlane.access.scope import TenantScope
from auditlane.query.filters import Filter
from auditlane.query.live.poll import News
from auditlane.query.live.resume_token import Resume
from auditlane.query.live.seen_offsets import Place
from auditlane.query.live.subscription import Subscription
from auditlane.runtime.errors import AuditlaneError


@dataclass(slots=True, eq=False)
class Channel:
    """Streams with the same tenant and filter, and how far they are."""

    scope: TenantScope
    filter: Filter
    position: Resume | None = None  # None until its first poll
    failure: AuditlaneError | None = None  # what the tenant's own question last failed with
    subscriptions: list[Subscription] = field(default_factory=list)
    followers: int = 0  # the subscriptions, and those that are still catching up
    news: set[Place] = field(default_factory=set)  # where events of the tenant are that were not asked for yet
    occurred: tuple[int, int] | None = None

    def note(self, news: News) -> None:
        """Remember where something of the tenant became visible, and when it had occurred."""
        if self.scope.tenant in news.of:
            places, (first, last) = news.of[self.scope.tenant]
            earlier = self.occurred or (first, last)
            self.news |= places
            self.occurred = (min(earlier[0], first), max(earlier[1], last))
