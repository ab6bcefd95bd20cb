"""Summaries of a tenant's events: facets, a histogram over time, and the figures of a dashboard."""
