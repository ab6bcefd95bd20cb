"""The operators' console: tenants, lag, dead letters and health, rendered on the server and usable without script."""
