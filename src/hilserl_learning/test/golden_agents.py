# SPDX-License-Identifier: Apache-2.0
"""Agents of profile `original` that hold the parameters of the reference cases A, B and C."""

from functools import cache, cached_property

import numpy as np
import torch
from golden_fixtures import MANIFEST, agent_leaves, batch, head16, load, outputs, params, read, trunk_tree

from hilserl_learning.perception import Perception
from hilserl_learning.pretrained import flax_to_torch
from hilserl_learning.profiles import profile
from hilserl_learning.replay import Batch
from hilserl_learning.sac import RLPDAgent

GRASP_COLUMNS = {"A": (), "B": (6,), "C": (6, 13)}


class GoldenCase:
    """One case: numbers of the original, and our agent with the same parameters on the same batch."""

    def __init__(self, name: str):
        torch.set_num_threads(1)
        self.name, self.gold, self.spec = name, outputs(name), MANIFEST["cases"][name]
        self.keys: list[str] = self.spec["image_keys"]
        self.paths = list(params(name))
        self.inputs = {k: torch.from_numpy(v) for k, v in batch(name).items() if v.dtype == np.float32}

    @cached_property
    def perception(self) -> Perception:
        perception = Perception(len(self.keys), "maps", width=1.0)
        perception.trunk.load_state_dict(flax_to_torch(trunk_tree(self.name, "modules_actor/encoder")))
        return perception

    @cached_property
    def batch(self) -> Batch:
        pictures = batch(self.name)
        maps = [
            torch.from_numpy(self.perception.encode(np.stack([pictures[f"{k}/{c}"] for c in self.keys], 1)))
            for k in ("obs", "next")
        ]
        t = self.inputs
        return Batch(
            state=t["obs/state"],
            features=maps[0],
            action=t["actions"],
            reward=t["rewards"],
            terminated=1.0 - t["masks"],
            truncated=torch.zeros(8),
            next_state=t["next/state"],
            next_features=maps[1],
            grasp_penalty=t.get("grasp_penalty"),
        )

    def agent(self) -> RLPDAgent:
        """A fresh agent. Dropout and augmentation are off in the reference numbers."""
        cfg = profile(
            "original",
            state_dim=self.spec["state_dim"],
            action_dim=self.spec["action_dim"],
            grasp_columns=GRASP_COLUMNS[self.name],
            n_cameras=len(self.keys),
            discount=self.spec["discount"],
            encoder_dropout=0.0,
            augmentation="none",
        )
        agent = RLPDAgent(cfg, seed=3)
        load(self.leaves(agent), params(self.name))
        load(self.target_leaves(agent), params(self.name, target=True))
        with torch.no_grad():
            agent.raw_temperature.fill_(float(params(self.name)["modules_temperature/lagrange"]))
        return agent

    def leaves(self, agent: RLPDAgent) -> list:
        return list(agent_leaves(agent.encoder, agent.policy, agent.critic, agent.grasp_critic, self.keys))

    def target_leaves(self, agent: RLPDAgent) -> list:
        targets = (agent.target_critic, agent.target_grasp_critic)
        return list(agent_leaves(agent.target_encoder, None, *targets, self.keys))

    def close(self, ours, key: str, atol: float) -> None:
        ours = ours.detach().numpy() if isinstance(ours, torch.Tensor) else ours
        assert np.shape(ours) == self.gold[key].shape, key
        np.testing.assert_allclose(ours, self.gold[key], rtol=0, atol=atol, err_msg=key)

    def check_gradients(self, agent: RLPDAgent, loss: torch.Tensor, name: str, skip: str = "nothing") -> None:
        """Norm and first elements of the gradient of every parameter; parameters off the route have none."""
        tensors = {id(t): t for _, t, _, _ in self.leaves(agent)} | {0: agent.raw_temperature}
        gradients = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
        of = {
            id(t): torch.zeros_like(t) if g is None else g
            for t, g in zip(tensors.values(), gradients, strict=True)
        }
        ours = read(self.leaves(agent), lambda t: of[id(t)])
        ours["modules_temperature/lagrange"] = of[id(agent.raw_temperature)].numpy()
        norms, heads = self.gold[f"grad/{name}/norm"], self.gold[f"grad/{name}/head"]
        for row, path in enumerate(self.paths):
            if path.startswith(skip) or "pretrained_encoder" in path:  # the trunk is frozen
                assert norms[row] == 0.0
                continue
            tolerance = max(1e-4 * norms[row], 1e-6 * norms.max())
            assert abs(np.linalg.norm(ours[path]) - norms[row]) <= tolerance, (name, path)
            np.testing.assert_allclose(head16(ours[path]), heads[row], rtol=0, atol=2e-5, err_msg=path)


@cache
def golden_case(name: str) -> GoldenCase:
    return GoldenCase(name)
