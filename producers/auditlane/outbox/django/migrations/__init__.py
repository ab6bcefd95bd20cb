"""Migrations of the outbox table, which `manage.py migrate` applies."""
