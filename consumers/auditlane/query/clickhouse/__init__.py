"""Runs statements on ClickHouse: limits per query and tenant, cancellation, and results verified to be complete."""
