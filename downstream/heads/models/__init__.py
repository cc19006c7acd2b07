"""How classes and numbers are learned from vectors: one file a method, one seam."""
