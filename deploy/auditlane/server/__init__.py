"""The one HTTP app: mounts the routers by role, adds tokens, pages, middleware and health."""
