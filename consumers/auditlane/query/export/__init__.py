"""Take a tenant's log away as a file."""
