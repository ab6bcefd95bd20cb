"""Lists dead letters, shows what is wrong with them, replays them under the latest contract, and resolves them."""
