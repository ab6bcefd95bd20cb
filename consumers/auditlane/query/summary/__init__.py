"""What a tenant's events come to: facets, a histogram over time, the numbers of a dashboard."""
