"""Dead letters: read them, say what broke, send them again under the tenant's latest contract, resolve them."""
