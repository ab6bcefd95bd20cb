"""Who may do what: keys, tokens, permissions, and the scope that every query is built from."""
