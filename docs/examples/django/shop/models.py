"""Invoices, whose changes are recorded."""

from django.db import models

from auditlane.integrations.django import audited_model


@audited_model
class Invoice(models.Model):
    """An invoice. `api_key` looks like a secret, so its values are masked."""

    number = models.CharField(max_length=20, unique=True)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    paid = models.BooleanField(default=False)
    api_key = models.CharField(max_length=40, blank=True)

    def __str__(self) -> str:
        return self.number


class Article(models.Model):
    """An article. Only changes made in the admin are recorded."""

    title = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2)

    def __str__(self) -> str:
        return self.title
