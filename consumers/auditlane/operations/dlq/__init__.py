"""Lists dead letters, shows their errors, replays them under the latest contract, and resolves them."""
