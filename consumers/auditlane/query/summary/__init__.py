"""Summaries of a tenant's events: facets, a histogram over time, the numbers of a dashboard."""
