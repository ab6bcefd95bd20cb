"""Accepts audits in the form that Frontegg's clients send."""
