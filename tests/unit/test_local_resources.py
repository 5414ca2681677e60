"""Budgets: what the machine has, what steps hold of it, and which of them goes first."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clspec.plan import Gpu, Kind, Resources, Step
from clspec_local import budget
from clspec_local.budget import Budget, Machine, lacking, machine
from clspec_local.urgency import urgency

GIB = 2**30
THERE = Machine(cores=4.0, memory=8 * GIB, gpus=("0", "1"))


def step(name, **resources):
    return Step(id=name, kind=Kind.TRAIN, config="{}", resources=Resources(**resources))


def test_cores_are_a_budget():
    there = Budget(THERE, 9)
    assert there.take(step("a", cpu=3.0)).threads == 3
    assert there.take(step("b", cpu=2.0)) is None
    assert there.take(step("c")).cores == 1.0
    there.give_back(step("a"))
    assert there.take(step("b", cpu=2.0)).threads == 2


def test_memory_is_a_budget():
    there = Budget(THERE, 9)
    assert there.take(step("a", memory=5 * GIB))
    assert there.take(step("b", memory=4 * GIB)) is None
    assert there.take(step("c", memory=3 * GIB))


def test_gpus_are_handed_out_and_come_back():
    there = Budget(THERE, 9)
    first, second = there.take(step("a", gpu=Gpu(count=1))), there.take(step("b", gpu=Gpu(count=1)))
    assert {first.gpus, second.gpus} == {("0",), ("1",)}
    assert there.take(step("c", gpu=Gpu(count=1))) is None
    there.give_back(step("b"))
    assert there.take(step("c", gpu=Gpu(count=1))).gpus == second.gpus


def test_jobs_are_a_budget():
    there = Budget(THERE, 1)
    assert there.take(step("a"))
    assert there.full()
    assert there.take(step("b")) is None


def test_a_step_that_wants_more_than_there_is_gets_all_and_alone():
    there = Budget(THERE, 9)
    share = there.take(step("a", cpu=64.0, memory=64 * GIB, gpu=Gpu(count=8)))
    assert (share.cores, share.memory, share.gpus) == (4.0, 8 * GIB, ("0", "1"))
    assert there.take(step("b")) is None


_STEPS = st.lists(st.tuples(st.floats(0, 9), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=12)


@given(_STEPS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_never_more_is_held_than_there_is_and_all_get_their_turn(wanted, jobs, draw):
    there, held = Budget(THERE, jobs), {}
    waiting = [
        step(f"s{n}", cpu=cpu, memory=memory * GIB, gpu=Gpu(count=gpus) if gpus else None)
        for n, (cpu, memory, gpus) in enumerate(wanted)
    ]
    while waiting or held:
        for each in tuple(waiting):
            if (share := there.take(each)) is not None:
                held[each.id] = each, share
                waiting.remove(each)
        assert held  # an empty machine takes anything
        shares = [share for _, share in held.values()]
        gpus = [gpu for share in shares for gpu in share.gpus]
        assert len(shares) <= jobs
        assert sum(share.cores for share in shares) <= THERE.cores + 1e-9
        assert sum(share.memory for share in shares) <= THERE.memory
        assert len(gpus) == len(set(gpus))
        gone, _ = held.pop(draw.choice(sorted(held)))
        there.give_back(gone)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"cpu": 8.0}, "8 cores, and this machine has 4"),
        ({"memory": 16 * GIB}, "16.0 GiB of memory, and this machine has 8.0"),
        ({"gpu": Gpu(count=3)}, "3 GPUs, and this machine has 2 GPUs"),
        ({"gpu": Gpu(count=1, resource="amd.com/gpu")}, "1 `amd.com/gpu`, and only NVIDIA's GPUs are handed out here"),
        ({"cpu": 4.0, "memory": 8 * GIB, "gpu": Gpu(count=2)}, None),
    ],
)
def test_what_is_lacking_is_named(resources, words):
    assert [found for _, found in lacking([step("a", **resources)], THERE)] == ([words] if words else [])


@pytest.mark.parametrize(
    ("variable", "gpus"),
    [("0,1", ("0", "1")), ("", ()), ("-1", ()), ("2,-1,3", ("2",)), ("GPU-aa, GPU-bb", ("GPU-aa", "GPU-bb"))],
)
def test_the_variable_says_which_gpus_there_are(variable, gpus):
    assert machine({"CUDA_VISIBLE_DEVICES": variable}).gpus == gpus


def test_gpus_are_found_without_torch(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: X (UUID: GPU-1)'\necho 'GPU 1: X (UUID: GPU-2)'\n")
    program.chmod(0o755)
    monkeypatch.setattr(budget.shutil, "which", lambda name: str(tmp_path / name))
    if Path("/proc/driver/nvidia/gpus").exists():
        pytest.skip("this machine's own are found first")
    assert machine({}).gpus == ("0", "1")


def test_the_longest_path_goes_first():
    def after(name, *needs):
        return Step(id=name, kind=Kind.TRAIN, config="{}", needs=needs)

    steps = [after("short"), after("long"), after("then", "long"), after("end", "short", "then")]
    found = urgency(steps, {"short": 5.0, "long": 1.0, "then": 9.0, "end": 1.0})
    assert found == {"short": 6.0, "long": 11.0, "then": 10.0, "end": 1.0}
    assert urgency(steps, {})["long"] == 3.0
