"""The operators' page: tenants, lag, dead letters and the health of every part, rendered here, without script."""
