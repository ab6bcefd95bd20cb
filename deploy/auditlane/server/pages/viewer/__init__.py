"""The viewer's build, and the pages that load it."""
