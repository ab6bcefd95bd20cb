"""Reads a tenant's log through the API of Frontegg's clients."""
