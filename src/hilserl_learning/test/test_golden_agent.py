# SPDX-License-Identifier: Apache-2.0
"""Profile `original` against the original's numbers: plain SAC (A: RAM insertion), with the grasp critic of
one gripper (B: USB) and of two (C: handover), and the target update (F)."""

import numpy as np
import pytest
import torch
from golden_agents import golden_case
from golden_fixtures import batch, fingerprint, head16, outputs, params, read

from hilserl_learning.actor_policy import ActorPolicy
from hilserl_learning.grasp_critic import decode_grasp, encode_grasp
from hilserl_learning.sac import RLPDAgent


@pytest.fixture(params=["A", "B", "C"])
def case(request):
    return golden_case(request.param)


@pytest.fixture(params=["B", "C"])
def grasp_case(request):
    return golden_case(request.param)


def test_inputs_are_regenerated_exactly(case):
    for target, key in ((False, "fp/params"), (True, "fp/target")):
        ours = np.stack([fingerprint(v) for v in params(case.name, target).values()])
        np.testing.assert_allclose(ours, case.gold[key], rtol=1e-6)
    for name, value in batch(case.name).items():
        np.testing.assert_allclose(fingerprint(value), case.gold[f"fp/batch/{name}"], rtol=1e-6)


def test_profile_is_the_one_of_the_fixture(case):
    cfg = case.agent().cfg
    assert cfg.target_rate == case.spec["tau"]
    assert cfg.entropy_target == case.spec["target_entropy"]
    assert cfg.policy_dim == case.spec["policy_dim"]
    assert cfg.grasp_actions == {"A": 0, "B": 3, "C": 9}[case.name]
    assert cfg.shared_final_layer
    golden_case("A").close(RLPDAgent(cfg, seed=0).raw_temperature, "temperature_raw_init", 1e-5)


def record(module, seen: dict, name: str):
    return module.register_forward_hook(lambda _module, _inputs, out: seen.update({name: out[0].clone()}))


@pytest.mark.parametrize("camera", ["wrist_1", "wrist_2"])
def test_trunk_stage_by_stage(camera):
    case = golden_case("A")
    trunk, seen = case.perception.trunk, {}
    layers = {"conv_init": trunk.conv_init, "norm_init": trunk.norm_init}
    layers |= {f"ResNetBlock_{n}": block for n, block in enumerate(trunk.blocks)}
    hooks = [record(module, seen, name) for name, module in layers.items()]
    maps = trunk(torch.from_numpy(batch("A")[f"obs/{camera}"]))
    for hook in hooks:
        hook.remove()
    assert list(seen) == list(layers)
    # The reference file holds camera 1's norm_init for camera 2 as well; the layers around it are camera 2's.
    if camera == "wrist_2":
        assert np.array_equal(case.gold["stage/wrist_2/norm_init"], case.gold["stage/wrist_1/norm_init"])
        del seen["norm_init"]
    for name, value in seen.items():  # of image 0
        picks = [value[:8, 0, 0], value[:8, -1, -1], value[:8, 1, 2]]
        ours = torch.cat([value.mean()[None], value.std(unbiased=False)[None], *picks])
        case.close(ours, f"stage/{camera}/{name}", 1e-4)
    case.close(maps[0].permute(1, 2, 0), f"trunk/{camera}", 1e-4)
    case.close(
        torch.stack([maps.mean(), maps.std(unbiased=False), maps.max()]), f"trunk_stats/{camera}", 1e-4
    )


def test_trunk_probe_of_norm_eps_and_padding():
    case = golden_case("A")
    flat = np.broadcast_to(np.array([124, 116, 104], np.uint8), (1, 128, 128, 3)).copy()
    case.close(
        case.perception.trunk(torch.from_numpy(flat))[0].permute(1, 2, 0), "probe/const_image_trunk", 5e-4
    )


def test_embeddings_and_encoder(case):
    agent = case.agent()
    maps = case.batch.features.view(8, len(case.keys), 512, 16)
    pooled = agent.encoder.pool(case.batch.features)
    heads = agent.encoder.bottleneck(pooled)
    for i, camera in enumerate(case.keys):
        channels = case.gold[f"trunk/{camera}"].shape[-1]
        trunk = maps[0, i, :channels].reshape(channels, 4, 4).permute(1, 2, 0)
        case.close(trunk, f"trunk/{camera}", 1e-4)
        case.close(pooled[i, 0, : len(case.gold[f"pool/{camera}"])], f"pool/{camera}", 1e-4)
        case.close(heads[i], f"embedding/{camera}", 5e-5)
    case.close(agent.encoder(case.batch.features, case.batch.state), "encoder", 5e-5)


def test_encoder_probe_of_norm_eps():
    case = golden_case("A")
    flat = np.broadcast_to(np.array([124, 116, 104], np.uint8), (1, 2, 128, 128, 3)).copy()
    features = torch.from_numpy(case.perception.encode(flat))
    probe = case.agent().encoder(features, torch.zeros(1, 19))[0]
    case.close(probe, "probe/const_image_zero_state_encoder", 5e-4)
    gold = case.gold["probe/const_image_zero_state_encoder"][-64:]
    np.testing.assert_allclose(probe[-64:].detach().numpy(), gold, rtol=0, atol=2e-5)


def test_policy(case):
    agent, b = case.agent(), case.batch
    mean, std = agent.policy(agent.policy_input(b.features, b.state))
    case.close(mean, "policy_mean", 5e-5)
    case.close(std, "policy_std", 5e-5)
    case.close(mean.tanh(), "policy_mode", 5e-5)
    mean, std = agent.policy(agent.policy_input(b.next_features, b.next_state))
    case.close(mean, "next_mean", 5e-5)
    case.close(std, "next_std", 5e-5)
    action, log_prob = agent.sample_action(b.features, b.state, case.inputs["noise_pi"])
    case.close(action, "pi_action", 5e-5)
    case.close(log_prob, "pi_log_prob", 1e-4)


def test_std_is_clipped():
    case = golden_case("A")
    agent = case.agent()
    agent.policy.log_std.bias.data.copy_(torch.from_numpy(case.gold["probe/std_clip_bias"]))
    std = agent.policy(agent.policy_input(case.batch.features, case.batch.state))[1]
    case.close(std, "probe/std_clip_std", 5e-4)


def test_critic_and_target(case):
    agent, b = case.agent(), case.batch
    case.close(agent.temperature, "temperature", 1e-6)
    encoded = agent.encoder(b.features, b.state)
    case.close(agent.critic(encoded, agent.assembler.continuous(b.action)), "critic_q", 5e-5)
    action, log_prob = agent.sample_action(b.next_features, b.next_state, case.inputs["noise_next"])
    case.close(action, "next_action", 5e-5)
    case.close(log_prob, "next_log_prob", 1e-4)
    next_encoded = agent.target_encoder(b.next_features, b.next_state)
    case.close(agent.target_critic(next_encoded, action), "target_next_q", 5e-5)
    case.close(agent.critic_target(b, case.inputs["noise_next"])[0], "target_y", 5e-5)
    pi_action, _ = agent.sample_action(b.features, b.state, case.inputs["noise_pi"])
    case.close(agent.critic(encoded, pi_action), "pi_q", 5e-5)


def test_grasp_commands_to_index_and_back(grasp_case):
    gold, grippers = grasp_case.gold, len(grasp_case.agent().cfg.grasp_columns)
    commands = torch.from_numpy(gold["grasp_encode_in"]).reshape(-1, grippers)
    np.testing.assert_array_equal(encode_grasp(commands).numpy(), gold["grasp_encode_out"])
    indices = torch.arange(3**grippers)
    np.testing.assert_array_equal(decode_grasp(indices, grippers).numpy(), gold["grasp_decode"])
    assert torch.equal(encode_grasp(decode_grasp(indices, grippers)), indices)
    index = grasp_case.agent().assembler.grasp_index(grasp_case.batch.action)
    np.testing.assert_array_equal(index.numpy(), gold["grasp_index"])


def test_grasp_values_and_target(grasp_case):
    agent, b = grasp_case.agent(), grasp_case.batch
    grasp_case.close(agent.grasp_critic(agent.encoder(b.features, b.state)), "grasp_q", 5e-5)
    following = agent.grasp_critic(agent.encoder(b.next_features, b.next_state))
    grasp_case.close(following, "grasp_next_q", 5e-5)
    np.testing.assert_array_equal(following.argmax(-1).numpy(), grasp_case.gold["grasp_best_next"])
    target = agent.target_grasp_critic(agent.target_encoder(b.next_features, b.next_state))
    grasp_case.close(target, "grasp_target_next_q", 5e-5)
    # The reference tells double Q-learning from taking the target's own maximum.
    assert (target.argmax(-1) != following.argmax(-1)).any()
    grasp_case.close(agent.grasp_target(b), "grasp_target_y", 5e-5)


def test_environment_action_holds_the_best_grasp(grasp_case):
    agent, b = grasp_case.agent(), grasp_case.batch
    actor = ActorPolicy.from_safetensors(agent.policy_safetensors())
    for act in (
        lambda i: agent.act(b.state[i], b.features[i], deterministic=True),
        lambda i: actor.act(b.features[i].numpy(), b.state[i].numpy(), deterministic=True),
    ):
        grasp_case.close(np.stack([act(i) for i in range(8)]), "env_action_mode", 5e-5)


def test_critic_and_temperature_losses_and_gradients(case):
    agent, b = case.agent(), case.batch
    target, next_log_prob = agent.critic_target(b, case.inputs["noise_next"])
    critic_loss, _ = agent.critic_loss(b, target)
    case.close(critic_loss, "loss/critic", 2e-5)
    case.check_gradients(agent, critic_loss, "critic")
    case.close(-next_log_prob.mean(), "entropy_next", 1e-4)
    temperature_loss = agent.temperature_loss(next_log_prob)
    case.close(temperature_loss, "loss/temperature", 2e-5)
    case.check_gradients(agent, temperature_loss, "temperature")


def test_grasp_loss_and_gradients(grasp_case):
    agent, b = grasp_case.agent(), grasp_case.batch
    loss, _ = agent.grasp_loss(b, agent.grasp_target(b))
    grasp_case.close(loss, "loss/grasp_critic", 2e-5)
    grasp_case.check_gradients(agent, loss, "grasp_critic")


def test_actor_loss_and_gradients(case):
    # Also flows into the critic here; `step` asks for the actor's gradients only, as the original does.
    agent = case.agent()
    loss = agent.actor_loss(case.batch, case.inputs["noise_pi"])
    case.close(loss, "loss/actor", 2e-5)
    case.check_gradients(agent, loss, "actor", skip="modules_critic")
    applied = sum(p.numel() for p in agent.optimizers["actor"].param_groups[0]["params"])
    routed = (k.startswith("modules_actor/") and "/encoder_" not in k for k in case.paths)
    assert applied == sum(
        params(case.name)[k].size for k, ours in zip(case.paths, routed, strict=True) if ours
    )


@pytest.mark.parametrize(("name", "steps"), [("A", 3), ("B", 2)])
def test_optimizer_steps(name, steps):
    """Critic (and grasp critic) only, then all losses, then critic only."""
    case = golden_case(name)
    agent = case.agent()
    for number, with_actor in list(enumerate((False, True, False), start=1))[:steps]:
        before = {k: v.copy() for k, v in read(case.leaves(agent)).items()}
        agent.step(case.batch, with_actor, case.inputs["noise_next"], case.inputs["noise_pi"])
        ours, target = read(case.leaves(agent)), read(case.target_leaves(agent))
        heads, target_heads = case.gold[f"update{number}/head"], case.gold[f"update{number}/target_head"]
        deviations = []
        for row, path in enumerate(case.paths):
            if path not in ours:
                continue
            deviations.append(head16(ours[path]) - heads[row])
            if path in target:
                deviations.append(head16(target[path]) - target_heads[row])
            delta = np.linalg.norm(ours[path] - before[path])
            gold = case.gold[f"update{number}/delta_norm"][row]
            assert delta == pytest.approx(gold, rel=5e-3, abs=1e-6), (number, path)
        assert len(ours) == sum("pretrained" not in p and "temperature" not in p for p in case.paths)
        deviation = np.abs(np.concatenate(deviations))
        assert deviation.max() < 2e-5
        assert np.mean(deviation < 2e-6) > 0.99
        row = case.paths.index("modules_temperature/lagrange")
        assert float(agent.raw_temperature.detach()) == pytest.approx(heads[row][0], abs=2e-6)


def test_target_update():
    case, gold = golden_case("A"), outputs("F")
    agent = case.agent()
    assert agent.cfg.target_rate == pytest.approx(float(gold["tau"]))
    agent.update_target()
    ours = read(case.target_leaves(agent))
    for row, path in enumerate(case.paths):
        if path in ours:
            np.testing.assert_allclose(head16(ours[path]), gold["head"][row], rtol=0, atol=1e-6, err_msg=path)
            assert np.linalg.norm(ours[path]) == pytest.approx(gold["norm"][row], rel=1e-5)
    assert len(ours) > 20
