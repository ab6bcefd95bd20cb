"""Authentication and authorization by credentials, tokens, sessions and links, and each route's permissions.

`authentication` reads a request's credential, `tokens` contains the routes that mint tokens, and `route_permissions` is
the table of required permissions.
"""
