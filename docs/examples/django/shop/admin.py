"""The admin of the shop."""

from django.contrib import admin

from shop.models import Article, Invoice

admin.site.register([Article, Invoice])
