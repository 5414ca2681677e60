"""What the step program offers a target with fixed arguments: inputs that may be missing, and empty permissions."""

import json

import pytest

from clspec.step.program import main


def concluded(folder, *words):
    config = json.dumps({"spec": "s", "pipeline": "regression"})
    return main(["conclude", "--config", config, "--store", str(folder / "store"), *words])


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1)])
def test_an_optional_input_that_is_there_is_read(tmp_path, verdict, code):
    (tmp_path / "verdict").write_text(json.dumps({"verdict": verdict}))
    assert concluded(tmp_path, "--in-optional", f"verdict={tmp_path}/verdict", "--allow-both", "") == code


def test_one_that_is_not_there_is_as_if_it_had_not_been_named(tmp_path, capsys):
    assert concluded(tmp_path, "--in-optional", f"verdict={tmp_path}/nothing") == 2
    assert "this step needs --in verdict=PATH" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--in", "--in-optional"])
def test_one_name_is_one_input(tmp_path, word):
    assert concluded(tmp_path, "--in-optional", f"verdict={tmp_path}/a", word, f"verdict={tmp_path}/b") == 2
