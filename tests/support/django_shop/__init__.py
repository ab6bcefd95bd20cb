"""A Django project for tests. It is a shop with invoices, behind Django's own pages and admin."""
