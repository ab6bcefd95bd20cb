"""Dead letters: lists them, shows what broke, replays them under the latest contract, resolves them."""
