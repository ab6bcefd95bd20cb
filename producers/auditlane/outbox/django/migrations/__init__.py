"""The migrations of the table, for `manage.py migrate`."""
