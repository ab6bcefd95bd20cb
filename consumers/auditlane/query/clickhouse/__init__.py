"""Builds statements and runs them on ClickHouse: limits per query and tenant, cancellation, complete results."""
