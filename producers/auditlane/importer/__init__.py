"""Files into events: a source reads with bounded memory, a format maps, one run emits and remembers how far it got."""
