# SPDX-License-Identifier: Apache-2.0
"""Published trunk weights: both formats load, and nothing else does."""

import collections
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch
from golden_fixtures import trunk_tree

from hilserl_learning import pretrained
from hilserl_learning.errors import LearningError
from hilserl_learning.pretrained import load_trunk


def published(arrays: dict[str, np.ndarray]) -> dict:
    """The nested dictionary that the original pickles."""
    tree: dict = {}
    for path, value in arrays.items():
        *owner, leaf = path.split("/")
        node = tree
        for part in owner:
            node = node.setdefault(part, {})
        node[leaf] = value
    return tree


def test_published_weights_load_from_pickle_and_safetensors(tmp_path):
    arrays = trunk_tree("A", "modules_actor/encoder")
    for protocol in (2, 4, 5):
        (tmp_path / "resnet10_params.pkl").write_bytes(pickle.dumps(published(arrays), protocol))
        trunk = load_trunk(tmp_path / "resnet10_params.pkl")
        kernel = arrays["ResNetBlock_2/conv_proj/kernel"]
        np.testing.assert_array_equal(trunk.blocks[2].conv_proj.weight, kernel.transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(trunk.blocks[0].norm_1.bias, arrays["ResNetBlock_0/MyGroupNorm_1/bias"])
    flat = {k: torch.from_numpy(v) for k, v in arrays.items()}
    safetensors.torch.save_file(flat, tmp_path / "original_names.safetensors")
    contiguous = {k: v.contiguous() for k, v in trunk.state_dict().items()}
    safetensors.torch.save_file(contiguous, tmp_path / "our_names.safetensors")
    for name in ("original_names", "our_names"):
        again = load_trunk(tmp_path / f"{name}.safetensors")
        assert all(torch.equal(a, b) for a, b in zip(trunk.parameters(), again.parameters(), strict=True))


def test_wrong_weights_are_named(tmp_path):
    arrays = trunk_tree("A", "modules_actor/encoder")
    with pytest.raises(LearningError, match=r"no file at .*rail-berkeley/serl"):
        load_trunk(tmp_path / "resnet10_params.pkl")
    path = tmp_path / "wrong.pkl"
    path.write_bytes(pickle.dumps(published(arrays)))
    with pytest.raises(LearningError, match=r"conv_init.weight' has shape \(64, 3, 7, 7\).*trunk_width 0.5"):
        load_trunk(path, width=0.5)
    path.write_bytes(pickle.dumps(published({k: v for k, v in arrays.items() if "norm_proj" not in k})))
    with pytest.raises(LearningError, match=r"has no 'blocks\.1\.norm_proj\.weight'"):
        load_trunk(path)
    path.write_bytes(b"not a pickle")
    with pytest.raises(LearningError, match="not a readable pickle"):
        load_trunk(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(LearningError, match="holds a list"):
        load_trunk(path)


class Malicious:
    def __reduce__(self):
        return (print, ("executed",))


def test_pickle_never_runs_code(tmp_path, capsys):
    path = tmp_path / "evil.pkl"
    for content in ({"conv_init": Malicious()}, {"x": collections.Counter()}):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(LearningError, match="refused"):
            load_trunk(path)
    assert "executed" not in capsys.readouterr().out


class Attribute:
    """Sets attributes of an allowed function by the pickle's BUILD instruction."""

    def __reduce__(self):
        return (collections.OrderedDict, (), {"items": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv_init": {"kernel": "text"}}, "'conv_init/kernel' holds a str, not an array of numbers"),
        ({"conv_init": {"kernel": [1.0]}}, "'conv_init/kernel' holds a list"),
        ({"conv_init": {"kernel": np.array([None])}}, "holds an array of object"),
        ({"conv_init": {"kernel": np.zeros((7, 7), np.float32)}}, r"has shape \(7, 7\), must be"),
        ({}, "has no 'conv_init.weight'"),
        (Attribute(), "not a readable pickle"),
    ],
)
def test_odd_content_is_named(tmp_path, content, message):
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(LearningError, match=message):
        load_trunk(path)


def test_endless_nesting_and_huge_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "odd.pkl"
    endless: dict = {}
    endless["a"] = endless
    path.write_bytes(pickle.dumps(endless))
    with pytest.raises(LearningError, match="nested without end"):
        load_trunk(path)
    monkeypatch.setattr(pretrained, "LARGEST_BYTES", 10)
    with pytest.raises(LearningError, match=r"has 0 MB, the published file about 20; .*resnet10_params\.pkl"):
        load_trunk(path)


def test_weights_that_are_not_finite_or_of_another_network_are_named(tmp_path):
    arrays = trunk_tree("A", "modules_actor/encoder")
    bad = {**arrays, "norm_init/bias": np.full(64, np.nan, np.float32)}
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file({k: torch.from_numpy(v) for k, v in bad.items()}, path)
    with pytest.raises(LearningError, match=r"'norm_init\.bias' contains NaN"):
        load_trunk(path)
    safetensors.torch.save_file({"fc.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(LearningError, match=r"has no 'conv_init\.weight' of shape \(64, 3, 7, 7\)"):
        load_trunk(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(LearningError, match="not a readable safetensors file"):
        load_trunk(path)
    # Half precision and an extra classifier head are fine.
    half = {k: torch.from_numpy(v).bfloat16() for k, v in arrays.items()}
    safetensors.torch.save_file({**half, "Dense_0/kernel": torch.zeros(512, 1000)}, path)
    expected = torch.from_numpy(arrays["norm_init/scale"]).bfloat16().float()
    assert torch.equal(load_trunk(path).norm_init.weight, expected)
