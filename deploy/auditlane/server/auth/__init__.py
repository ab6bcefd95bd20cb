"""Who sends a request and what it may do: credentials, tokens, sessions, links, permissions of routes."""
