"""Follow what arrives: a tenant's new events as they are stored, over server-sent events."""
