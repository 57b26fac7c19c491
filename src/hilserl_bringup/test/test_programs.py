# SPDX-License-Identifier: Apache-2.0
"""`demo` and `run` from the command line, with real small programs in place of the nodes."""

import json
import stat
import sys

import pytest
import yaml

from hilserl_bringup import demo, evaluate, record_demos, run
from hilserl_bringup.node_specs import RunContext, graph_specs, phase_names
from hilserl_task import load_task
from hilserl_task.loader import find_task_file

CONFIG = find_task_file("ram_insertion").parents[1].absolute()

# The main process of a phase writes its name down and ends; the others wait for their signal.
MAIN = """
name = os.path.basename(sys.argv[0])
open("{journal}", "a").write(name + "\\n")
sys.exit(3 if os.path.exists("{folder}/fail_" + name) else 0)
"""
OTHER = "time.sleep(60)"


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """All executables of all phases, installed; returns the journal of the main ones."""
    prefix, file = tmp_path / "prefix", tmp_path / "journal"
    context = RunContext("ram_insertion", tmp_path)
    specs = [
        spec for phase in phase_names() for spec in graph_specs(load_task("ram_insertion"), phase, context)
    ]
    mains = {(spec.package, spec.executable) for spec in specs if spec.main}
    for spec in specs:
        code = MAIN if (spec.package, spec.executable) in mains - {("hilserl_agent", "actor")} else OTHER
        if spec.executable == "actor":
            # Main in training and evaluation, a helper elsewhere: as its parameter file says.
            code = "text = open(sys.argv[-1]).read()\nif 'phase: teleop' in text: time.sleep(60)\n" + MAIN
        path = prefix / "lib" / spec.package / spec.executable
        path.parent.mkdir(parents=True, exist_ok=True)
        body = code.format(journal=file, folder=tmp_path) if code is not OTHER else code
        path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(prefix))
    file.touch()
    return lambda: file.read_text().split()


STORY = ["collect_labels", "train_classifier", "recorder", "fit_perception", "actor", "actor", "report"]


def run_demo(tmp_path, *arguments):
    return demo.main(["--runs", str(tmp_path / "runs"), *arguments])


def test_the_demo_goes_through_all_phases(tmp_path, journal, capfd):
    assert run_demo(tmp_path) == 0
    assert journal() == STORY
    state = json.loads((tmp_path / "runs" / "latest" / "state.json").read_text())
    assert tuple(state["done"]) == phase_names()
    assert "[7/7] write the report" in capfd.readouterr().out


def test_a_failed_phase_is_reported_and_resumed_where_it_was(tmp_path, journal, capfd):
    (tmp_path / "fail_recorder").touch()
    assert run_demo(tmp_path, "--seed", "2") == 3
    assert journal() == STORY[:3]
    output = capfd.readouterr()
    assert "Phase demos failed" in output.out
    assert "recorder ended: exit code 3" in output.err
    (tmp_path / "fail_recorder").unlink()
    assert run_demo(tmp_path, "--seed", "2") == 0
    assert journal() == STORY[:3] + STORY[2:]
    assert len(list((tmp_path / "runs").glob("ram_insertion-*"))) == 1


def test_without_demonstrations_none_are_recorded(tmp_path, journal):
    assert run_demo(tmp_path, "--no-demos") == 0
    assert "recorder" not in journal()


def test_options_become_part_of_the_task(tmp_path, journal):
    options = [
        "--no-interventions",
        "--no-images",
        "--max-steps",
        "77",
        "--eval-episodes",
        "3",
        "--board-moved",
    ]
    assert run_demo(tmp_path, *options, "--set", "episode.max_steps=9") == 0
    task = load_task(str(tmp_path / "runs" / "latest" / "task.yaml"))
    assert not task.operator.interventions
    assert not task.learner.policy_images
    assert (task.training.max_steps, task.evaluation.episodes, task.episode.max_steps) == (77, 3, 9)
    assert task.evaluation.board_moved


def test_run_does_one_phase_in_the_folder_of_a_run(tmp_path, journal):
    folder = tmp_path / "one"
    assert run.main(["classifier", "--task", "ram_insertion", "--run-dir", str(folder)]) == 0
    assert run.main(["evaluate", "--run-dir", str(folder), "--board-moved"]) == 0
    assert journal() == ["train_classifier", "actor"]
    assert "evaluation.board_moved=true" in (folder / "logs/parameters/actor.yaml").read_text()
    assert run.main(["evaluate", "--run-dir", str(folder), "--checkpoint", "007"]) == 0
    told = yaml.safe_load((folder / "logs/parameters/actor.yaml").read_text())["/**"]["ros__parameters"]
    assert load_task("ram_insertion", told["overrides"]).evaluation.checkpoint == "007"


def test_run_evaluates_with_events(tmp_path, journal, capsys):
    folder = tmp_path / "one"
    command = ["evaluate", "--task", "ram_insertion", "--run-dir", str(folder)]
    assert run.main([*command, "--event", "board_shifts+arm_pushed"]) == 0
    told = yaml.safe_load((folder / "logs/parameters/sim.yaml").read_text())["/**"]["ros__parameters"]
    task = load_task("ram_insertion", told["overrides"])
    assert task.evaluation.disturbances == ("board_shifts", "arm_pushed")
    assert run.main([*command, "--event", "earthquake"]) == 2
    assert "--event: 'earthquake' is unknown; kinds: board_moved," in capsys.readouterr().err


def test_events_are_completed_also_after_a_plus(monkeypatch):
    found = {}
    monkeypatch.setattr(
        "argcomplete.autocomplete", lambda parser: found.update({a.dest: a for a in parser._actions})
    )
    for parser in (run._parser, evaluate._parser):
        found.clear()
        parser()
        complete = found["event"].completer
        assert "arm_pushed" in complete(prefix="")
        assert "board_shifts+arm_pushed" in complete(prefix="board_shifts+a")


def test_checkpoints_of_the_run_folder_are_completed(tmp_path, monkeypatch):
    (tmp_path / "checkpoints" / "learner_000002000").mkdir(parents=True)
    found = {}
    monkeypatch.setattr(
        "argcomplete.autocomplete", lambda parser: found.update({a.dest: a for a in parser._actions})
    )
    parser = run._parser()
    complete = found["checkpoint"].completer
    assert complete(parsed_args=parser.parse_args(["evaluate"])) == ["best", "latest"]
    options = parser.parse_args(["evaluate", "--run-dir", str(tmp_path)])
    assert complete(parsed_args=options) == ["best", "latest", "learner_000002000"]
    assert "best, latest" in parser.format_help()


def test_run_takes_seed_and_task_of_the_run(tmp_path, journal):
    assert run_demo(tmp_path, "--seed", "7", "--set", "episode.max_steps=9") == 0
    folder = tmp_path / "runs" / "latest"
    parameters = folder / "logs/parameters/actor.yaml"

    def told(*arguments):
        assert run.main(["evaluate", "--run-dir", str(folder), *arguments]) == 0
        return yaml.safe_load(parameters.read_text())["/**"]["ros__parameters"]

    assert told()["seed"] == 7
    assert load_task(told()["task"]).episode.max_steps == 9
    assert told("--seed", "0")["seed"] == 0
    (folder / "state.json").unlink()
    assert told()["seed"] == 0


def test_help_says_where_seed_and_task_come_from(capsys):
    for program, words in [(run, "that of the run in DIR, else 0"), (demo, "default: ram_insertion")]:
        with pytest.raises(SystemExit):
            program.main(["--help"])
        assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("program", "arguments", "words"),
    [
        (demo, ["--task", "ram_insertoin"], "did you mean 'ram_insertion'"),
        (demo, ["--set", "learner.utd=4"], "utd"),
        (demo, ["--set", "episode.max_steps=-1"], "max_steps"),
        (run, ["train", "--task", "ram_insertion"], "--run-dir: missing"),
        (run, ["fly", "--task", "ram_insertion", "--run-dir", "r"], "'fly' is unknown"),
        (run, ["train", "--run-dir", "absent"], "--task: missing"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, program, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HILSERL_CONFIG", str(CONFIG))
    assert program.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_built_is_one_clear_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    assert run_demo(tmp_path) == 1
    assert "make build" in capsys.readouterr().err


@pytest.mark.parametrize(("gate", "judged"), [("either", True), ("both", True), ("person", False)])
def test_record_demos_starts_the_graph_that_its_gate_needs(tmp_path, journal, gate, judged):
    folder = tmp_path / "lab"
    arguments = ["--task", "ram_insertion", "--run-dir", str(folder), "--count", "3", "--gate", gate]
    assert record_demos.main(arguments) == 0
    assert journal() == ["recorder"]
    written = {path.stem: yaml.safe_load(path.read_text()) for path in folder.rglob("*.yaml")}
    parameters = written["recorder"]["/**"]["ros__parameters"]
    assert parameters["target"] == 3
    assert f"demonstrations.gate={gate}" in parameters["overrides"]
    assert ("reward" in written) == judged
    assert written["task"]["learner"]["demonstration_count"] == 3


@pytest.mark.parametrize("arguments", [["--count", "0"], ["--task", "nothing"]])
def test_record_demos_refuses_wrong_input(tmp_path, journal, capfd, arguments):
    run_dir = ["--run-dir", str(tmp_path / "lab")]
    assert record_demos.main(["--task", "ram_insertion", *run_dir, *arguments]) == 2
    assert arguments[1] in capfd.readouterr().err
    assert not (tmp_path / "lab").exists()
