"""Record events from web frameworks, ORMs and task queues, one package per framework.

Each package imports its framework only when it is used. All of them record through `AuditClient.record`, which never
raises into the application.
"""
