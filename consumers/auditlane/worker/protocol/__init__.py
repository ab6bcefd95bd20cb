"""The exactly-once protocol as a pure state machine. It does not use Kafka, ClickHouse or Arrow, and the time is passed
in.

`core` takes events and returns `actions`. `scheduling` decides when a range is sealed and when polling is suspended.
`partition_state` contains the state of one partition, with its sealed range.
"""
