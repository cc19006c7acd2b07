"""A graph holds the computation, and nothing of where it was made."""

import pytest

from featurize.errors import ExportError
from featurize.export.graph import strip, trace


def test_strip_reaches_nested_graphs():
    """Paths are removed from nodes inside branches too, and the computation stays."""
    from onnx import TensorProto, helper

    def value(name, kind=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, kind, [1], doc_string="/a/path")

    inner = helper.make_node("Identity", ["x"], ["y"], doc_string="/a/path")
    branch = helper.make_graph([inner], "branch", [], [value("y")], doc_string="/a/path")
    choice = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [choice],
        "main",
        [value("c", TensorProto.BOOL), value("x")],
        [value("z")],
        value_info=[value("v")],
    )
    model = helper.make_model(graph, doc_string="/a/path")
    helper.set_model_props(model, {"where": "/a/path"})
    strip(model)
    assert b"/a/path" not in model.SerializeToString()
    assert model.graph.node[0].attribute[0].g.node[0].op_type == "Identity"
    assert not model.graph.value_info


def test_a_model_that_torch_cannot_export_is_an_export_error(capfd):
    """What the exporter raises is named, and its chatter stays off the terminal."""
    import torch

    class Undecided(torch.nn.Module):
        def forward(self, x):
            return x if x.sum().item() > 0 else -x

    with pytest.raises(ExportError, match="torch cannot export"):
        trace(Undecided(), {"x": torch.zeros(2, 3)}, ("batch",))
    assert capfd.readouterr() == ("", "")
