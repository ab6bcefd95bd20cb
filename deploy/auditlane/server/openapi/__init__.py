"""Builds `openapi.json`: the document, its examples, and each route's errors."""
