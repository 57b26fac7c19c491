# SPDX-License-Identifier: Apache-2.0
"""What the documents quote is there: code in its file, programs, pictures, links.

A fenced block whose info string names a file (```python src/.../press_button.py) is code of that file.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<to>[^)\s]+)\)")
PROGRAM = re.compile(r"(?:scripts/run|ros2 run) (?P<package>hilserl_\w+) (?P<name>\w+)")


def quoted(document):
    """(file, text) of every block that names a file."""
    blocks = FENCE.finditer(document.read_text())
    named = [(block["info"].split(), block["body"]) for block in blocks]
    return [(words[1], body) for words, body in named if len(words) > 1]


def unquoted(document):
    """What is quoted and not in its file."""
    missing = []
    for name, body in quoted(document):
        file = ROOT / name
        if not file.is_file() or body not in file.read_text():
            missing.append(f"{name}: {body.splitlines()[0]}")
    return missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_quoted_code_is_in_its_file(document):
    assert unquoted(document) == []


def test_the_task_that_is_walked_through_is_quoted_everywhere():
    files = {name for name, _ in quoted(ROOT / "docs/add_a_task.md")}
    assert {Path(name).name for name in files} >= {
        "press_button.py",
        "press_button_craft.py",
        "press_button_labels.py",
        "press_button.yaml",
        "scenes.py",
        "crafts.py",
    }


def test_a_quotation_that_rots_is_found(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("```python tests/test_documents.py\nROOT = Path(__file__).parent.parents\n```\n")
    assert unquoted(document) == ["tests/test_documents.py: ROOT = Path(__file__).parent.parents"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    targets = [link["to"].split("#")[0] for link in LINK.finditer(document.read_text())]
    near = [target for target in targets if target and "://" not in target]
    assert [target for target in near if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_programs_exist(document):
    wrong = []
    for found in PROGRAM.finditer(document.read_text()):
        setup = ROOT / "src" / found["package"] / "setup.py"
        if not setup.is_file() or f'"{found["name"]} = ' not in setup.read_text():
            wrong.append(found[0])
    assert wrong == []
