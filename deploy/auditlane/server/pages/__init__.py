"""All HTML: the plain log, the viewer's shell, the console and single messages.

Templates, static files (the viewer's build among them) and the catalogue of texts are beside the modules.
"""
