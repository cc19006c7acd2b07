"""A torch module to ONNX bytes that depend on the module alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurize.errors import ExportError
from featurize.export.quiet import quiet

if TYPE_CHECKING:
    import onnx
    import torch

OUTPUT = "sentence_embedding"
OPSET = 20
_LIMIT = 2**31 - 1


def trace(tower: torch.nn.Module, example: dict[str, torch.Tensor], axes: tuple[str, ...]) -> bytes:
    """Export a module with the named inputs, whose leading `axes` may have any size from 1 on.

    The bytes hold the weights, and nothing of the machine or folder they were made in. Opset 20
    with plain attention runs every architecture on every runtime, as fast as the newer attention
    operator; opset 23 makes wrong graphs for rotary models. Raises ExportError where torch fails.
    """
    import onnx
    import onnxscript  # noqa: F401 - loaded here, so that it keeps the real streams
    import torch

    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                tower.eval(),
                kwargs=example,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(example),
                output_names=[OUTPUT],
                dynamic_shapes={name: dict(enumerate(axes)) for name in example},
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever it met in the model's code
        raise ExportError(f"torch cannot export this model: {_first_line(error)}") from error
    if program is None:
        raise ExportError("torch exported no graph.")
    model = program.model_proto
    strip(model)
    data: bytes = model.SerializeToString(deterministic=True)
    if len(data) > _LIMIT:
        raise ExportError("The graph is larger than 2 GB, which one ONNX file cannot hold.")
    onnx.checker.check_model(data, full_check=True)
    return data


def strip(model: onnx.ModelProto) -> None:
    """Remove what describes the export and not the computation.

    The exporter writes absolute paths into `metadata_props`; `value_info` leads onnxruntime to a
    slower kernel on CPUs.
    """
    _forget(model)
    _strip_graph(model.graph)
    for function in model.functions:
        _forget(function)
        del function.value_info[:]
        _strip_nodes(function.node)


def _strip_graph(graph: onnx.GraphProto) -> None:
    del graph.value_info[:]
    for part in (graph, *graph.input, *graph.output, *graph.initializer):
        _forget(part)
    _strip_nodes(graph.node)


def _strip_nodes(nodes: onnx.GraphProto.NodeProto) -> None:
    for node in nodes:
        _forget(node)
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _strip_graph(graph)


def _forget(part: onnx.ModelProto) -> None:
    part.ClearField("doc_string")
    del part.metadata_props[:]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
