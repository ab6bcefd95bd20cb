"""The operators' page: tenants, lag, dead letters and health, rendered on the server, without script."""
