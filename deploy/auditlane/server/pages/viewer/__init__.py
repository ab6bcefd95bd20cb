"""The viewer's pages: its build as it is served, and the HTML that loads it."""
