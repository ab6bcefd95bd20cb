"""Authentication and authorization by credentials, tokens, sessions and links, and the permissions of each route.

`authentication` reads the credential of a request, `tokens` contains the routes that mint tokens, and
`route_permissions` is the table of required permissions.
"""
