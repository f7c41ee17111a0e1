"""Random models and stories: the engine against the reference oracle, and against itself."""
