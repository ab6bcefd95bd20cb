"""All HTML pages: the plain log, the viewer's shell, the console and message pages.

Templates, static files (including the viewer's build) and the message catalogue are in subfolders.
"""
