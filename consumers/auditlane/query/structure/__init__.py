"""The data structure over HTTP. It describes the fields that events have, and which of them a tenant's viewers see."""
