"""Events over HTTP: taken by the piece, checked, acknowledged only when Kafka has them."""
