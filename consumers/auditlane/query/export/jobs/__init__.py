"""Exports that go on without their client, and survive the process that works on them."""
