"""Authentication and authorization: keys, tokens, permissions, and the `TenantScope` that every query requires."""
