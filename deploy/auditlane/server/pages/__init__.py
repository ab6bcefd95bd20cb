"""All HTML: the plain page, the viewer's shell, the console, messages; their templates, styles and texts."""
