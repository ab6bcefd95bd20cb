"""The exactly-once protocol as a pure state machine: no Kafka, no ClickHouse, no Arrow; time is passed in.

`core` takes events and returns `actions`. `scheduling` decides when a range is sealed and when polling is suspended;
`partition_state` holds the state of one partition, with its sealed range.
"""
