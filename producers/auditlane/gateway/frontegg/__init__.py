"""Accepts audits in the format that Frontegg's clients send."""
