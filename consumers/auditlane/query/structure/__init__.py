"""The data structure over HTTP: what events carry, and what a tenant's readers see of it."""
