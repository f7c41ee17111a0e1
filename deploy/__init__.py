"""How Scorer is deployed and watched; Python only where something is generated."""
