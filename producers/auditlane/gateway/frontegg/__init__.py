"""Takes audits as Frontegg's clients send them."""
