"""Search: what it finds, how soon, and what it survives; benchmarks/search.py runs it."""
