"""Dead letters: reads and counts them, says what broke, sends them again under the latest contract, resolves them."""
