"""Keeps events on disk until Kafka has acknowledged them.

`sender` decides which records are written and which are sent, and `settler` handles their outcomes. `record_set`
represents one process's files, and `frames` defines their format. `adoption` takes over the files of processes that
have ended.
"""
