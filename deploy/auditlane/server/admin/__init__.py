"""Administration over HTTP: tenants, lag, dead letters, and the health of every component."""
