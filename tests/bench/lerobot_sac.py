# SPDX-License-Identifier: Apache-2.0
"""Optional: one update of LeRobot's SAC on this machine, to set beside `make bench`.

LeRobot needs Python 3.12 and its own environment, so this runs outside of ours:

    python3.12 -m venv lerobot && lerobot/bin/pip install lerobot
    lerobot/bin/python tests/bench/lerobot_sac.py [--batch 256] [--updates 1]

Two cameras of 128 x 128 and 18 state values go through LeRobot's own small picture encoder, frozen, one
thread. Its pretrained ResNet-10 is on the hub and much larger: `--vision lerobot/resnet10` (needs the
network) is the like-for-like figure. Written for the releases with `GaussianActorPolicy` and
`SACAlgorithm`; an update there is one critic step and one actor step.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from typing import Any

CAMERAS, STATE, ACTION = ("observation.images.wrist_1", "observation.images.wrist_2"), 18, 6
# Where the policy, its configuration, the algorithm and the feature types are.
MODULES = (
    "lerobot.policies.gaussian_actor.modeling_gaussian_actor",
    "lerobot.policies.gaussian_actor.configuration_gaussian_actor",
    "lerobot.rl.algorithms.sac",
    "lerobot.configs.types",
)


def classes() -> dict[str, Any]:
    """The classes by name; ends with one line when they are not there."""
    found: dict[str, Any] = {}
    try:
        for module in MODULES:
            found |= vars(importlib.import_module(module))
        return {name: found[name] for name in (
            "GaussianActorPolicy", "GaussianActorConfig", "SACAlgorithm", "SACAlgorithmConfig",
            "PolicyFeature", "FeatureType",
        )}  # fmt: skip
    except (ImportError, KeyError, SyntaxError) as error:
        version = ".".join(map(str, sys.version_info[:2]))
        raise SystemExit(
            f"lerobot_sac: no LeRobot with GaussianActorPolicy and SACAlgorithm in this Python {version} "
            f"({error}); see the first lines of this file"
        ) from error


def main() -> None:
    """Measures and prints JSON: name -> {value, unit, how}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--updates", type=int, default=1)
    parser.add_argument(
        "--vision", default=None, help="vision_encoder_name; left out: LeRobot's small encoder"
    )
    options = parser.parse_args()
    names = classes()
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)

    feature, kind = names["PolicyFeature"], names["FeatureType"]
    pictures = {camera: feature(kind.VISUAL, (3, 128, 128)) for camera in CAMERAS}
    config = names["GaussianActorConfig"](
        input_features={"observation.state": feature(kind.STATE, (STATE,)), **pictures},
        output_features={"action": feature(kind.ACTION, (ACTION,))},
        device="cpu",
        vision_encoder_name=options.vision,
        freeze_vision_encoder=True,
    )
    algorithm = names["SACAlgorithm"](
        names["GaussianActorPolicy"](config), names["SACAlgorithmConfig"].from_policy_config(config)
    )
    algorithm.make_optimizers_and_scheduler()

    def observation() -> dict[str, Any]:
        images = {camera: torch.rand(options.batch, 3, 128, 128) for camera in CAMERAS}
        return {"observation.state": torch.randn(options.batch, STATE), **images}

    batch = {
        "state": observation(),
        "next_state": observation(),
        "action": torch.rand(options.batch, ACTION) * 2 - 1,
        "reward": torch.zeros(options.batch),
        "done": torch.zeros(options.batch),
        "truncated": torch.zeros(options.batch),
        "complementary_info": {},
    }
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(options.updates):
        algorithm.update(iter([batch]))
    wall = (time.perf_counter() - begun) / options.updates
    cpu_ms = 1e3 * (time.process_time() - cpu) / options.updates
    how = f"LeRobot SAC, batch {options.batch}, 2 cameras 128x128, encoder {options.vision}, 1 thread"
    results = {
        "lerobot.updates_per_s": {"value": 1 / wall, "unit": "1/s", "how": how},
        "lerobot.cpu_ms": {"value": cpu_ms, "unit": "ms", "how": "CPU time of one update; " + how},
    }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
