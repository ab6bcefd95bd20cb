"""Keep events on disk until Kafka has acknowledged them.

`sender` decides which records are written and sent. `record_set` represents the files of one process, `frames` is their
format, and `adoption` takes over the files of processes that ended.
"""
