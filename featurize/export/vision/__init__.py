"""Image networks of transformers and timm to candidates."""
