"""Summarizes a tenant's events: facets, a histogram over time, and a dashboard's figures."""
