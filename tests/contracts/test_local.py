"""This machine keeps the contract: its programs are read back with `ast`, and run."""

import ast

import pytest

from clspec.plan import Condition, Input
from clspec.testing import BackendContract, ReadPipeline, ReadStep
from clspec_local import target


class TestLocal(BackendContract):
    @pytest.fixture
    def backend(self):
        return target.backend

    def golden_folder(self, plan):
        return super().golden_folder(plan) / "local"

    def read_back(self, bundle):
        return {
            file.removesuffix(".py"): ReadPipeline(steps=_steps(text))
            for file, text in bundle.items()
            if file.endswith(".py")
        }


def _steps(text):
    """The calls of `run` at the program's top level, in their order; one step is over before the next begins."""
    steps = {}
    for statement in ast.parse(text).body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "run":
            name, kind = map(ast.literal_eval, call.args)
            assert name not in steps
            steps[name] = _step(kind, {k.arg: ast.literal_eval(k.value) for k in call.keywords}, frozenset(steps))
    return steps


def _step(kind, given, earlier):
    inputs = (Input(name=name, step=step, output=output) for name, (step, output) in given.get("inputs", {}).items())
    when = given.get("when")
    return ReadStep(
        kind=kind,
        config=given["config"],
        needs=earlier,
        inputs=frozenset(inputs),
        outputs=frozenset(given.get("outputs", ())),
        parameters=frozenset(given.get("parameters", ())),
        when=Condition(step=when[0], parameter=when[1], equals=when[2]) if when else None,
    )
