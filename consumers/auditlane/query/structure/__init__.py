"""The data structure over HTTP: which fields events have, and what a tenant's readers see of them."""
