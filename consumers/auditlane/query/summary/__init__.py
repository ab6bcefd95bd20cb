"""Summarizes a tenant's events: facets, a histogram over time, and the figures for a dashboard."""
