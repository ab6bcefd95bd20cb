"""The exactly-once protocol as a pure state machine: no Kafka, no ClickHouse, no Arrow; time is passed in.

`core` takes events and gives `actions`. `scheduling` decides which range is sealed next and when, `backpressure` when
to read no more; `partition_state` is what is known of one partition.
"""
