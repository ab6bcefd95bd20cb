"""The exactly-once protocol as a pure state machine. It does not use Kafka, ClickHouse or Arrow, and takes the time as
an argument.

`core` takes events and returns `actions`. `scheduling` decides when a range is sealed and when polling is suspended.
`partition_state` contains one partition's state, including its sealed range.
"""
