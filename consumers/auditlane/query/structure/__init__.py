"""The data structure over HTTP: the fields that events have, and which of them a tenant's viewers see."""
