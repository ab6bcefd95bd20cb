"""The shop's admin."""

from __future__ import annotations

from django.contrib import admin

from django_shop.models import Article, Comment, Invoice, Item, Tag


class CommentInline(admin.TabularInline):
    model = Comment
    extra = 0


@admin.register(Article)
class ArticleAdmin(admin.ModelAdmin):
    inlines = (CommentInline,)
    list_display = ("id", "title")
    list_editable = ("title",)


admin.site.register([Invoice, Item, Tag])
