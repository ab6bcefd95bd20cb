"""The ClickHouse engine as a process of its own that speaks ClickHouse's HTTP protocol to stock clients."""
