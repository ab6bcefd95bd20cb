"""How queries reach ClickHouse: clients, statements, limits, and results read to their end."""
