"""The ClickHouse side of the agreement: tables as numbered SQL, their migration, the client, settings rows."""
