"""ClickHouse's own HTTP and native TCP servers, out of chdb-core, as a process."""
