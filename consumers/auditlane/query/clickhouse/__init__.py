"""How statements reach ClickHouse: clients, limits per tenant, cancellation, and results read to their end."""
