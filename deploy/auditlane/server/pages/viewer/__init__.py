"""The viewer's pages: what is served of its build, and the pages of ours that load it."""
