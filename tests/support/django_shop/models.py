"""The shop's models. All but one are audited."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models

from auditlane.integrations.django import audited_model


class Tag(models.Model):
    """A model that is not audited."""

    name = models.CharField(max_length=50)


@audited_model(exclude=["internal"])
class Invoice(models.Model):
    number = models.CharField(max_length=20)
    total = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    paid = models.BooleanField(default=False)
    due = models.DateTimeField(null=True)
    api_key = models.CharField(max_length=50, blank=True)
    internal = models.CharField(max_length=50, blank=True)
    lines = models.JSONField(default=dict)
    changed = models.DateTimeField(auto_now=True)
    tags = models.ManyToManyField(Tag, blank=True)
    readers = models.ManyToManyField(Group, blank=True)


class Reminder(Invoice):
    """A child of an audited model, with its own table."""

    fee = models.IntegerField(default=0)


@audited_model
class Credit(Invoice):
    """An audited child of an audited model."""


class Debt(Invoice):
    """A proxy of an audited model."""

    class Meta:
        proxy = True


class Item(models.Model):
    """A model that is audited because the settings name it."""

    name = models.CharField(max_length=50)
    supplier = models.CharField(max_length=50, blank=True)
    note = models.CharField(max_length=50, blank=True)


class Article(models.Model):
    """An article, which is changed only in the admin."""

    title = models.CharField(max_length=50)
    access_token = models.CharField(max_length=50, blank=True)
    body = models.TextField(blank=True)


class Comment(models.Model):
    article = models.ForeignKey(Article, models.CASCADE)
    text = models.CharField(max_length=50)


class Keeper(models.Model):
    """Prevents the deletion of its article."""

    article = models.ForeignKey(Article, models.RESTRICT)
