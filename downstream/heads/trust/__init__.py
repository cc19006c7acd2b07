"""How far to trust a head: honest probabilities, when to answer, what belongs to no class."""
