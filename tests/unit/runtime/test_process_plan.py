"""Tests a stack's process plan, which makes decisions without I/O. The time is an argument."""

from __future__ import annotations

import random

import pytest

from auditlane.runtime.process_plan import Action, Plan, Policy, ServiceSpec, State, Verb

POLICY = Policy(backoff_initial_s=1.0, backoff_max_s=5.0, stable_after_s=10.0)
SPECS = [
    ServiceSpec("kafka", stop_timeout_s=30),
    ServiceSpec("registry", tier=1),
    ServiceSpec("init", depends_on=("kafka", "registry"), tier=2, one_shot=True),
    ServiceSpec("worker", depends_on=("kafka", "init"), tier=2, start_timeout_s=20, stop_timeout_s=5),
]


def verbs(actions: list[Action]) -> list[tuple[str, str]]:
    return [(action.verb.value, action.name) for action in actions]


def up(now: float = 0.0) -> Plan:
    plan = Plan(SPECS, POLICY)
    plan.decide(now)
    plan.became_ready("kafka", now)
    plan.became_ready("registry", now)
    plan.decide(now)
    plan.exited("init", 0, now)
    plan.decide(now)
    plan.became_ready("worker", now)
    assert plan.ready
    return plan


def test_parts_start_when_their_dependencies_are_ready():
    plan = Plan(SPECS, POLICY)
    assert verbs(plan.decide(0)) == [("start", "kafka"), ("start", "registry")]
    assert plan.decide(1) == []
    plan.became_ready("registry", 1)
    assert plan.decide(1) == []
    plan.became_ready("kafka", 2)
    assert verbs(plan.decide(2)) == [("start", "init")]
    plan.became_ready("init", 2)  # meaningless for a one-shot process; must not affect the others
    plan.exited("init", 0, 3)
    assert verbs(plan.decide(3)) == [("start", "worker")]
    assert not plan.ready
    plan.became_ready("worker", 4)
    assert plan.ready
    assert plan.was_ready


def test_backoff_doubles_up_to_its_maximum():
    assert [POLICY.backoff(failures) for failures in (1, 2, 3, 4, 5, 1000)] == [1, 2, 4, 5, 5, 5]


def test_a_dead_part_waits_out_its_backoff_and_the_others_run():
    plan = up()
    plan.exited("worker", -9, 100)
    assert plan.services["worker"].state is State.RESTARTING
    assert plan.decide(100.9) == []
    assert plan.wake_at() == 101
    assert verbs(plan.decide(101)) == [("start", "worker")]
    assert plan.services["kafka"].state is State.READY


def test_a_restart_waits_for_its_dependencies():
    plan = up()
    plan.exited("kafka", -9, 100)
    plan.exited("worker", 1, 100)
    assert verbs(plan.decide(101)) == [("start", "kafka")]
    assert plan.services["worker"].state is State.WAITING
    plan.became_ready("kafka", 105)
    assert verbs(plan.decide(105)) == [("start", "worker")]


def test_a_finished_one_shot_is_not_run_again():
    plan = up()
    plan.exited("kafka", -9, 100)
    plan.decide(101)
    plan.became_ready("kafka", 102)
    assert plan.decide(102) == []
    assert plan.services["init"].state is State.DONE


def test_a_first_start_is_given_up_after_four_deaths():
    plan, now = Plan(SPECS, POLICY), 0.0
    plan.decide(now)
    for death in range(1, 5):
        assert plan.failed is None
        plan.exited("registry", 1, now)
        if death < 4:
            now = plan.services["registry"].deadline or 0
            assert ("start", "registry") in verbs(plan.decide(now))
    assert plan.failed == "registry"
    assert verbs(plan.decide(now)) == [("terminate", "kafka")]
    plan.exited("kafka", 0, now)
    assert plan.finished


def test_a_part_that_was_up_is_restarted_without_limit():
    plan, now = up(), 0.0
    for _ in range(50):
        plan.exited("worker", 1, now)
        now = plan.services["worker"].deadline or 0
        assert verbs(plan.decide(now)) == [("start", "worker")]
    assert plan.failed is None
    assert not plan.stopping


@pytest.mark.parametrize(("ready_for", "failures"), [(9.9, 2), (10.0, 1)])
def test_a_stable_part_has_its_deaths_reset(ready_for, failures):
    plan = Plan([ServiceSpec("kafka")], POLICY)
    plan.decide(0)
    plan.exited("kafka", 1, 0)
    plan.decide(1)
    plan.became_ready("kafka", 2)
    plan.exited("kafka", 1, 2 + ready_for)
    assert plan.services["kafka"].failures == failures


def test_a_part_that_does_not_respond_in_time_is_killed_once():
    plan = Plan([ServiceSpec("kafka", start_timeout_s=20)], POLICY)
    plan.decide(0)
    assert plan.wake_at() == 20
    assert verbs(plan.decide(20)) == [("kill", "kafka")]
    assert plan.decide(21) == []
    plan.exited("kafka", -9, 21)
    assert plan.services["kafka"].state is State.RESTARTING


def test_stopping_goes_tier_by_tier():
    plan = up()
    plan.stop(100)
    assert not plan.ready
    assert verbs(plan.decide(100)) == [("terminate", "worker")]
    assert plan.decide(101) == []
    plan.exited("worker", 0, 102)
    assert verbs(plan.decide(102)) == [("terminate", "registry")]
    plan.exited("registry", 0, 102)
    assert verbs(plan.decide(102)) == [("terminate", "kafka")]
    assert not plan.finished
    plan.exited("kafka", 143, 103)
    assert plan.finished
    assert plan.wake_at() is None


def test_a_part_that_does_not_stop_in_time_is_killed():
    plan = up()
    plan.stop(100)
    plan.decide(100)
    assert plan.wake_at() == 105
    assert verbs(plan.decide(105)) == [("kill", "worker")]
    assert plan.decide(106) == []


def test_force_kills_all_at_once():
    plan = up()
    plan.stop(100)
    plan.decide(100)
    plan.force(101)
    assert {name for verb, name in verbs(plan.decide(101)) if verb == "kill"} == {"kafka", "registry", "worker"}


def test_stopping_before_everything_is_up():
    plan = Plan(SPECS, POLICY)
    plan.decide(0)
    plan.exited("kafka", 1, 0)
    plan.stop(0)
    assert verbs(plan.decide(0)) == [("terminate", "registry")]
    plan.became_ready("registry", 0)  # too late: the process is being stopped
    plan.exited("registry", 0, 1)
    assert plan.finished
    assert {service.state for service in plan.services.values()} == {State.STOPPED}


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_a_stop_ends_everything_in_order(seed):
    """After random events and a stop, no process is running, and each tier was stopped only after the tiers above
    it.
    """
    rng, plan, now = random.Random(seed), Plan(SPECS, POLICY), 0.0
    running: set[str] = set()

    def act() -> None:
        for action in plan.decide(now):
            if action.verb is Verb.START:
                assert action.name not in running
                assert not plan.stopping
                running.add(action.name)
            else:
                assert action.name in running
                if plan.stopping:
                    tier = plan.services[action.name].spec.tier
                    assert not [name for name in running if plan.services[name].spec.tier > tier]

    for _ in range(rng.randrange(60)):
        now += rng.choice([0, 0.5, 3, 30])
        act()
        if running and not plan.stopping:
            name = rng.choice(sorted(running))
            if rng.random() < 0.4 or plan.services[name].spec.one_shot:
                running.discard(name)
                plan.exited(name, rng.choice([0, 1, -9]), now)
            else:
                plan.became_ready(name, now)
    plan.stop(now)
    for _ in range(100):
        act()
        if plan.finished:
            break
        now += 1
        name = rng.choice(sorted(running))
        if rng.random() < 0.7 and plan.services[name].state is State.STOPPING:
            running.discard(name)
            plan.exited(name, 0, now)
    assert plan.finished
    assert not running
