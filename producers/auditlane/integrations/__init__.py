"""Records events from web frameworks, ORMs and task queues, with one package per framework.

Each package imports its framework only when used. All of them record through `AuditClient.record`, which never raises
into the application.
"""
