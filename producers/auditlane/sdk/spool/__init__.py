"""Keep events on disk until Kafka has acknowledged them.

`sender` decides what is written and sent, `record_set` holds one process's files, `frames` is their format, and
`adoption` takes over the files of processes that ended.
"""
