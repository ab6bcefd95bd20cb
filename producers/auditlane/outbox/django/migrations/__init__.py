"""The migrations of the outbox table, which `manage.py migrate` applies."""
