"""Runs ClickHouse's HTTP and native TCP servers, from chdb-core, as a process."""
