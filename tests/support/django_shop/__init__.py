"""A Django project for tests: a shop with invoices, behind Django's own pages and admin."""
