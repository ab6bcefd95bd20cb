"""Who sends a request and what it may do: credentials, tokens, sessions, links, the permissions of each route.

`authentication` finds the credential, `tokens` has the routes that mint tokens, `route_permissions` is the table of who
may call what.
"""
