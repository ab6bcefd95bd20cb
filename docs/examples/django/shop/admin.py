"""The shop's admin."""

from django.contrib import admin

from shop.models import Article, Invoice

admin.site.register([Article, Invoice])
