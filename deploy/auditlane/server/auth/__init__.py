"""Authentication and authorization: credentials, tokens, sessions, links, and the permissions of each route.

`authentication` reads the credential of a request, `tokens` has the routes that mint tokens, `route_permissions` is the
table of required permissions.
"""
