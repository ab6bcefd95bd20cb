"""Summarizes a tenant's events in facets, a histogram over time, and the figures of a dashboard."""
