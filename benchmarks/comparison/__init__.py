"""Peers and ours, side by side: the machinery of benchmarks/compare.py."""
