"""Reads a tenant's log as Frontegg's clients ask for it."""
