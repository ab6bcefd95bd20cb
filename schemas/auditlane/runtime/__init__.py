"""The foundation that every package may import: settings, the error tree, ids, logging, metric names.

Nothing here imports another auditlane package. `ids`, `errors` and `metrics` import only the standard library, so that
the SDK can use them without bringing a settings or logging framework into a service.
"""
