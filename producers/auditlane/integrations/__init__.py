"""Record events from web frameworks, ORMs and task queues. There is a package for each framework.

Each package imports its framework only when it is used. All of them record through `AuditClient.record`, which never
raises into the application.
"""
