"""Administration over HTTP. It covers tenants, lag, dead letters, and the health of every component."""
