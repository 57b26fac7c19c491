# SPDX-License-Identifier: Apache-2.0
"""Cases A (RAM insertion, plain SAC) and F (target update): the `original` profile."""

import numpy as np
import pytest
import torch
from golden_fixtures import agent_leaves, batch, fingerprint, head16, load, outputs, params, read, trunk_tree

from hilserl_learning.perception import Perception
from hilserl_learning.pretrained import flax_to_torch
from hilserl_learning.profiles import profile
from hilserl_learning.replay import Batch
from hilserl_learning.sac import RLPDAgent

KEYS = ["wrist_1", "wrist_2"]
GOLD = outputs("A")
PATHS = list(params("A"))


@pytest.fixture(scope="module")
def perception():
    torch.set_num_threads(1)
    perception = Perception(2, "maps", width=1.0)
    perception.trunk.load_state_dict(flax_to_torch(trunk_tree("A", "modules_actor/encoder")))
    return perception


@pytest.fixture(scope="module")
def golden_batch(perception):
    b = batch("A")
    maps = {k: perception.encode(np.stack([b[f"{k}/{c}"] for c in KEYS], 1)) for k in ("obs", "next")}
    t = {k: torch.from_numpy(v) for k, v in b.items() if v.dtype == np.float32}
    return Batch(
        t["obs/state"],
        torch.from_numpy(maps["obs"]),
        t["actions"],
        t["rewards"],
        1.0 - t["masks"],
        torch.zeros(8),
        t["next/state"],
        torch.from_numpy(maps["next"]),
    )


@pytest.fixture
def agent():
    # Dropout and augmentation are off in the reference numbers.
    cfg = profile("original", state_dim=19, action_dim=6, encoder_dropout=0.0, augmentation="none")
    agent = RLPDAgent(cfg, seed=3)
    load(agent_leaves(agent.encoder, agent.policy, agent.critic, KEYS), params("A"))
    load(agent_leaves(agent.target_encoder, None, agent.target_critic, KEYS), params("A", target=True))
    with torch.no_grad():
        agent.raw_temperature.fill_(float(params("A")["modules_temperature/lagrange"]))
    return agent


def noise(name: str) -> torch.Tensor:
    return torch.from_numpy(batch("A")[name])


def close(ours, key: str, atol: float) -> None:
    ours = ours.detach().numpy() if isinstance(ours, torch.Tensor) else ours
    np.testing.assert_allclose(ours, GOLD[key], rtol=0, atol=atol, err_msg=key)


def test_inputs_are_regenerated_exactly():
    for target, key in ((False, "fp/params"), (True, "fp/target")):
        ours = np.stack([fingerprint(v) for v in params("A", target).values()])
        np.testing.assert_allclose(ours, GOLD[key], rtol=1e-6)
    for name, value in batch("A").items():
        np.testing.assert_allclose(fingerprint(value), GOLD[f"fp/batch/{name}"], rtol=1e-6)


def test_profile_is_the_one_of_the_fixture(agent):
    assert agent.cfg.discount == 0.97
    assert agent.cfg.target_rate == 0.005
    assert agent.cfg.entropy_target == -3.0
    assert agent.cfg.shared_final_layer
    raw_init = RLPDAgent(agent.cfg, seed=0).raw_temperature
    close(raw_init, "temperature_raw_init", 1e-5)


def record(module, seen: dict, name: str):
    return module.register_forward_hook(lambda _module, _inputs, out: seen.update({name: out[0].clone()}))


@pytest.mark.parametrize("camera", KEYS)
def test_trunk_stage_by_stage(perception, camera):
    trunk, seen = perception.trunk, {}
    layers = {"conv_init": trunk.conv_init, "norm_init": trunk.norm_init}
    layers |= {f"ResNetBlock_{n}": block for n, block in enumerate(trunk.blocks)}
    hooks = [record(module, seen, name) for name, module in layers.items()]
    maps = trunk(torch.from_numpy(batch("A")[f"obs/{camera}"]))
    for hook in hooks:
        hook.remove()
    assert list(seen) == list(layers)
    # The reference file holds camera 1's norm_init for camera 2 as well; the layers around it are camera 2's.
    if camera == "wrist_2":
        assert np.array_equal(GOLD["stage/wrist_2/norm_init"], GOLD["stage/wrist_1/norm_init"])
        del seen["norm_init"]
    for name, value in seen.items():  # of image 0
        picks = [value[:8, 0, 0], value[:8, -1, -1], value[:8, 1, 2]]
        ours = torch.cat([value.mean()[None], value.std(unbiased=False)[None], *picks])
        close(ours, f"stage/{camera}/{name}", 1e-4)
    close(maps[0].permute(1, 2, 0), f"trunk/{camera}", 1e-4)
    close(torch.stack([maps.mean(), maps.std(unbiased=False), maps.max()]), f"trunk_stats/{camera}", 1e-4)


def test_trunk_probe_of_norm_eps_and_padding(perception):
    flat = np.broadcast_to(np.array([124, 116, 104], np.uint8), (1, 128, 128, 3)).copy()
    close(perception.trunk(torch.from_numpy(flat))[0].permute(1, 2, 0), "probe/const_image_trunk", 5e-4)


def test_embeddings_and_encoder(agent, golden_batch, perception):
    pooled = agent.encoder.pool(golden_batch.features)
    heads = agent.encoder.bottleneck(pooled)
    for i, camera in enumerate(KEYS):
        close(pooled[i, 0], f"pool/{camera}", 1e-4)
        close(heads[i], f"embedding/{camera}", 5e-5)
    close(agent.encoder(golden_batch.features, golden_batch.state), "encoder", 5e-5)
    flat = np.broadcast_to(np.array([124, 116, 104], np.uint8), (1, 2, 128, 128, 3)).copy()
    probe = agent.encoder(torch.from_numpy(perception.encode(flat)), torch.zeros(1, 19))[0]
    close(probe, "probe/const_image_zero_state_encoder", 5e-4)
    np.testing.assert_allclose(
        probe[-64:].detach().numpy(), GOLD["probe/const_image_zero_state_encoder"][-64:], rtol=0, atol=2e-5
    )


def test_policy(agent, golden_batch):
    mean, std = agent.policy(agent.policy_input(golden_batch.features, golden_batch.state))
    close(mean, "policy_mean", 5e-5)
    close(std, "policy_std", 5e-5)
    close(mean.tanh(), "policy_mode", 5e-5)
    mean, std = agent.policy(agent.policy_input(golden_batch.next_features, golden_batch.next_state))
    close(mean, "next_mean", 5e-5)
    close(std, "next_std", 5e-5)
    action, log_prob = agent.sample_action(golden_batch.features, golden_batch.state, noise("noise_pi"))
    close(action, "pi_action", 5e-5)
    close(log_prob, "pi_log_prob", 1e-4)
    agent.policy.log_std.bias.data.copy_(torch.from_numpy(GOLD["probe/std_clip_bias"]))
    close(
        agent.policy(agent.policy_input(golden_batch.features, golden_batch.state))[1],
        "probe/std_clip_std",
        5e-4,
    )


def test_critic_and_target(agent, golden_batch):
    close(agent.temperature, "temperature", 1e-6)
    encoded = agent.encoder(golden_batch.features, golden_batch.state)
    close(agent.critic(encoded, golden_batch.action), "critic_q", 5e-5)
    action, log_prob = agent.sample_action(
        golden_batch.next_features, golden_batch.next_state, noise("noise_next")
    )
    close(action, "next_action", 5e-5)
    close(log_prob, "next_log_prob", 1e-4)
    next_encoded = agent.target_encoder(golden_batch.next_features, golden_batch.next_state)
    close(agent.target_critic(next_encoded, action), "target_next_q", 5e-5)
    close(agent.critic_target(golden_batch, noise("noise_next"))[0], "target_y", 5e-5)
    pi_action, _ = agent.sample_action(golden_batch.features, golden_batch.state, noise("noise_pi"))
    close(agent.critic(encoded, pi_action), "pi_q", 5e-5)


def all_leaves(agent):
    return list(agent_leaves(agent.encoder, agent.policy, agent.critic, KEYS))


def check_gradients(agent, loss: torch.Tensor, name: str, skip: str = "nothing") -> None:
    """Norm and first elements of the gradient of every parameter; parameters off the route have none."""
    tensors = {id(t): t for _, t, _, _ in all_leaves(agent)} | {0: agent.raw_temperature}
    gradients = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
    of = {
        id(t): torch.zeros_like(t) if g is None else g
        for t, g in zip(tensors.values(), gradients, strict=True)
    }
    ours = read(all_leaves(agent), lambda t: of[id(t)])
    ours["modules_temperature/lagrange"] = of[id(agent.raw_temperature)].numpy()
    largest = GOLD[f"grad/{name}/norm"].max()
    for row, path in enumerate(PATHS):
        if path.startswith(skip):
            assert GOLD[f"grad/{name}/norm"][row] == 0.0
            continue
        if "pretrained_encoder" in path:
            assert GOLD[f"grad/{name}/norm"][row] == 0.0  # the trunk is frozen
            continue
        gold = GOLD[f"grad/{name}/norm"][row]
        tolerance = max(1e-4 * gold, 1e-6 * largest)
        assert abs(np.linalg.norm(ours[path]) - gold) <= tolerance, (name, path)
        np.testing.assert_allclose(
            head16(ours[path]), GOLD[f"grad/{name}/head"][row], rtol=0, atol=2e-5, err_msg=path
        )


def test_losses_and_gradients(agent, golden_batch):
    target, next_log_prob = agent.critic_target(golden_batch, noise("noise_next"))
    critic_loss, _ = agent.critic_loss(golden_batch, target)
    close(critic_loss, "loss/critic", 2e-5)
    check_gradients(agent, critic_loss, "critic")
    close(-next_log_prob.mean(), "entropy_next", 1e-4)
    temperature_loss = agent.temperature_loss(next_log_prob)
    close(temperature_loss, "loss/temperature", 2e-5)
    check_gradients(agent, temperature_loss, "temperature")


def test_actor_loss_and_gradients(agent, golden_batch):
    # Also flows into the critic here; `step` asks for the actor's gradients only, as the original does.
    loss = agent.actor_loss(golden_batch, noise("noise_pi"))
    close(loss, "loss/actor", 2e-5)
    check_gradients(agent, loss, "actor", skip="modules_critic")
    applied = sum(p.numel() for p in agent.optimizers["actor"].param_groups[0]["params"])
    assert applied == sum(
        v.size for k, v in params("A").items() if k.startswith("modules_actor/") and "encoder_wrist" not in k
    )


def test_three_optimizer_steps(agent, golden_batch):
    for number, with_actor in ((1, False), (2, True), (3, False)):
        before = {k: v.copy() for k, v in read(all_leaves(agent)).items()}
        agent.step(golden_batch, with_actor, noise("noise_next"), noise("noise_pi"))
        ours = read(all_leaves(agent))
        target = read(agent_leaves(agent.target_encoder, None, agent.target_critic, KEYS))
        deviations = []
        for row, path in enumerate(PATHS):
            if path not in ours:
                continue
            deviations.append(head16(ours[path]) - GOLD[f"update{number}/head"][row])
            if path in target:
                deviations.append(head16(target[path]) - GOLD[f"update{number}/target_head"][row])
            delta = np.linalg.norm(ours[path] - before[path])
            gold = GOLD[f"update{number}/delta_norm"][row]
            assert delta == pytest.approx(gold, rel=5e-3, abs=1e-6), (number, path)
        deviation = np.abs(np.concatenate(deviations))
        assert deviation.max() < 2e-5
        assert np.mean(deviation < 2e-6) > 0.99
        row = PATHS.index("modules_temperature/lagrange")
        raw = float(agent.raw_temperature.detach())
        assert raw == pytest.approx(GOLD[f"update{number}/head"][row][0], abs=2e-6)


def test_target_update(agent):
    gold = outputs("F")
    assert agent.cfg.target_rate == pytest.approx(float(gold["tau"]))
    agent.update_target()
    ours = read(agent_leaves(agent.target_encoder, None, agent.target_critic, KEYS))
    for row, path in enumerate(PATHS):
        if path in ours:
            np.testing.assert_allclose(head16(ours[path]), gold["head"][row], rtol=0, atol=1e-6, err_msg=path)
            assert np.linalg.norm(ours[path]) == pytest.approx(gold["norm"][row], rel=1e-5)
    assert len(ours) > 20
