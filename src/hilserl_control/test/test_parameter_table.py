# SPDX-License-Identifier: Apache-2.0
"""doc/parameters.md says what config.hpp and the module say."""

import importlib.util
from pathlib import Path

import hilserl_control as hc

DOC = Path(__file__).resolve().parents[1] / "doc"


def generator():
    spec = importlib.util.spec_from_file_location("generate_parameters", DOC / "generate_parameters.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_up_to_date():
    assert (DOC / "parameters.md").read_text() == generator().page(), "run doc/generate_parameters.py"


def test_every_field_of_the_module_is_in_the_table():
    made = generator()
    for struct, owner in (("ControllerConfig", hc.ControllerConfig()), ("Gains", hc.Gains())):
        named = {name for _, name, comment in made.fields(struct) if comment}
        derived = {"push_negative", "push_positive"}
        public = {
            n for n in dir(owner) if not n.startswith("_") and not callable(getattr(owner, n))
        } - derived
        assert named == public
