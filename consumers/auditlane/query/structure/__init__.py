"""The data structure over HTTP: which fields events have, and which of them a tenant's viewers see."""
