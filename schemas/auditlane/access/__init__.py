"""Who may do what: keys, tokens, permissions, and the `TenantScope` that every query is built from."""
