"""The approximate kinds of index: one file each, one suite of tests for all."""

from downstream.index.graphs.base import Graph
from downstream.index.graphs.files import read_graph, write_graph
from downstream.index.graphs.hnsw import NavigableGraph
from downstream.index.graphs.ivf import InvertedFile

GRAPHS: dict[str, type[Graph]] = {graph.kind: graph for graph in (InvertedFile, NavigableGraph)}

__all__ = ["GRAPHS", "Graph", "InvertedFile", "NavigableGraph", "read_graph", "write_graph"]
