"""Read a tenant's log: filters, cursors, SQL, export, the JSON API."""
