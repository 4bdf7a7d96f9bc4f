"""Bugs that an operator of this kind is likely to have, each as an edit of its source, and the test that finds it.

Whoever changes one of the lines below moves the edit along; a unit test says so when it no longer applies.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bug:
    """In `path` (below operator/) `before`, which stands there once, becomes `after`; `test` must then fail."""

    name: str
    path: str
    before: str
    after: str
    test: str


_PLAN = "backgroundtask/plan"
_CONTROLLER = "backgroundtask/controller"
_LAUNCHES = "tests/unit/controller/test_launches.py"
_TOLD = "tests/unit/controller/test_slots_told.py"

BUGS = (
    Bug(
        "drop-the-lookup-of-the-digest",
        f"{_PLAN}/changes.py",
        "if one.digest == desired.definition.digest)",
        "if False)",
        "tests/unit/plan/test_changes.py::test_after_any_history_a_second_reconcile_writes_nothing",
    ),
    Bug(
        "delete-the-message-before-the-write",
        f"{_CONTROLLER}/ledger.py",
        "        try:\n            self._store(delivery.task, said)\n",
        "        delivery.stored()\n        try:\n            self._store(delivery.task, said)\n",
        "tests/unit/controller/test_ledger.py::TestRecording::"
        "test_each_delivery_is_answered_once_and_after_it_is_stored",
    ),
    Bug(
        "draw-the-client-token-at-random",
        f"{_PLAN}/schedule.py",
        '"clientToken": token,',
        '"clientToken": __import__("uuid").uuid4().hex,',
        "tests/unit/plan/test_schedule.py::test_two_attempts_at_one_slot_are_one_request",
    ),
    Bug(
        "put-the-attempt-number-into-the-request",
        f"{_PLAN}/schedule.py",
        "        ENV_SCHEDULED_TIME: slot,\n",
        '        ENV_SCHEDULED_TIME: slot,\n        "BGT_ATTEMPT": "<aws.scheduler.attempt-number>",\n',
        "tests/unit/plan/test_schedule.py::test_nothing_in_the_input_differs_between_two_attempts_at_one_slot",
    ),
    Bug(
        "retire-before-repointing",
        f"{_PLAN}/changes.py",
        "    settled = kept is not None and not changes\n",
        "    settled = kept is not None\n",
        "tests/unit/plan/test_changes.py::"
        "test_while_schedules_are_still_to_be_changed_nothing_is_retired_and_the_hour_begins_anew",
    ),
    Bug(
        "retire-at-once",
        f"{_PLAN}/changes.py",
        "    due = replaced + retire_after\n",
        "    due = replaced\n",
        "tests/unit/plan/test_changes.py::"
        "test_a_changed_image_repoints_the_schedule_and_keeps_the_old_revision_for_late_firings",
    ),
    Bug(
        "retire-what-an-active-run-uses",
        f"{_PLAN}/changes.py",
        "if one.arn != arn and one.arn not in in_use]",
        "if one.arn != arn]",
        "tests/unit/plan/test_changes.py::test_a_revision_that_an_active_run_uses_is_not_retired",
    ),
    Bug(
        "overwrite-a-strangers-schedule",
        f"{_PLAN}/ownership.py",
        "        if found.schedule.owner != owner:\n",
        "        if False:\n",
        "tests/unit/plan/test_changes.py::test_a_strangers_schedule_is_named_and_not_touched",
    ),
    Bug(
        "treat-a-denial-as-absence",
        "backgroundtask/aws/schedules.py",
        "            answer = self._clients.scheduler.get_schedule(GroupName=group, Name=name)\n"
        "        except ClientError as error:\n"
        "            if code_of(error) != _ABSENT:\n",
        "            answer = self._clients.scheduler.get_schedule(GroupName=group, Name=name)\n"
        "        except ClientError as error:\n"
        "            if code_of(error) not in (_ABSENT, 'AccessDeniedException'):\n",
        "tests/unit/aws_adapters/test_aws_absence.py::test_a_failure_is_never_taken_for_absence",
    ),
    Bug(
        "repeat-a-registration-whose-answer-is-lost",
        "backgroundtask/aws/clients.py",
        "config=self._config(1)",
        "config=self._config(2)",
        "tests/unit/aws_adapters/test_aws_ecs.py::"
        "test_a_registration_is_never_repeated_since_each_one_makes_a_revision",
    ),
    Bug(
        "hash-env-in-the-order-of-the-spec",
        f"{_PLAN}/definition.py",
        "for name, value in sorted(self.env.items())]",
        "for name, value in self.env.items()]",
        "tests/unit/plan/test_definition.py::test_the_order_of_env_secrets_and_tags_changes_nothing",
    ),
    Bug(
        "create-before-the-object-is-held",
        f"{_CONTROLLER}/configure.py",
        "        if not self._hold(raw):\n            return Unchanged()\n",
        "",
        "tests/unit/controller/test_crash_points.py::test_killed_at_any_write_it_ends_where_an_undisturbed_run_does",
    ),
    Bug(
        "let-the-object-go-before-its-teardown",
        f"{_CONTROLLER}/partings.py",
        "        self._end(raw, metadata, ledger, ecs)\n",
        "        self._context.kube.remove_finalizer(TASKS, raw, FINALIZER)\n"
        "        self._end(raw, metadata, ledger, ecs)\n",
        "tests/unit/controller/test_crash_points.py::test_killed_at_any_write_it_ends_where_an_undisturbed_run_does",
    ),
    Bug(
        "stop-tasks-before-their-schedule-is-gone",
        f"{_CONTROLLER}/holdings.py",
        "                self._write(step)\n            self._stop(self._running() | uses)\n",
        "                self._stop(self._running() | uses)\n                self._write(step)\n",
        "tests/unit/controller/test_tasks.py::TestEnd::"
        "test_schedules_go_first_then_tasks_then_revisions_then_the_object",
    ),
    Bug(
        "take-a-phase-back",
        f"{_PLAN}/merging.py",
        "    return _stage(task) > (2 if known.completion_time else 1 if known.start_time else 0)\n",
        "    return True\n",
        "tests/unit/plan/test_run_life.py::test_what_changes_no_phase_changes_nothing",
    ),
    Bug(
        "believe-an-older-event",
        f"{_PLAN}/merging.py",
        "and task.version <= status.task_version:",
        "and task.version < 0:",
        "tests/unit/plan/test_run_life.py::test_an_older_version_of_a_task_is_no_news_whatever_it_says",
    ),
    Bug(
        "reopen-an-end",
        f"{_PLAN}/merging.py",
        "    return status.phase in ENDS - UNSEEN\n",
        "    return False\n",
        "tests/unit/plan/test_run_life.py::test_an_end_is_final",
    ),
    Bug(
        "count-a-missing-exit-code-as-success",
        f"{_PLAN}/outcome.py",
        "    if task.exit_code == 0 and task.stop_code",
        "    if not task.exit_code and task.stop_code",
        "tests/unit/plan/test_outcome.py::test_only_exit_code_0_is_success_and_only_where_nothing_cut_the_task_short",
    ),
    Bug(
        "launch-beside-one-that-has-leave",
        f"{_PLAN}/leave.py",
        "(one.metadata.name in scene.holders and (not leave or due(one) < due(run)))",
        "False",
        "tests/unit/plan/test_decisions.py::TestForbid::test_while_one_is_active_a_slot_is_skipped_and_a_request_waits",
    ),
    Bug(
        "launch-again-without-a-search-after-a-refusal",
        f"{_PLAN}/launching.py",
        "    is_sure = bool(status.attempts) and not is_denied(status)\n",
        "    is_sure = True\n",
        "tests/unit/plan/test_decisions.py::TestAgain::test_a_run_that_is_tried_again",
    ),
    Bug(
        "end-a-denied-run-without-a-search",
        f"{_PLAN}/stops.py",
        "    if is_denied(status):\n",
        "    if False:\n",
        "tests/unit/plan/test_decisions.py::TestReplace::"
        "test_what_ecs_has_denied_may_have_started_all_the_same_and_is_looked_for_before_the_end",
    ),
    Bug(
        "lose-a-run-before-its-events-were-read",
        f"{_PLAN}/stops.py",
        "    return is_missing(run, arn, scene.gone) and is_read_since(scene, scene.gone[arn])\n",
        "    return is_missing(run, arn, scene.gone)\n",
        "tests/unit/plan/test_decisions.py::TestUnderWay::test_a_run_that_was_launched",
    ),
    Bug(
        "try-a-stopped-run-again",
        f"{_PLAN}/merging.py",
        "    if after.stop is not None:\n",
        "    if False:\n",
        "tests/unit/plan/test_retries.py::TestStops::test_a_stopped_run_is_not_tried_again",
    ),
    Bug(
        "give-all-items-of-a-slot-one-token",
        f"{_PLAN}/requests.py",
        '    item = "" if index is None else f"-{index}"\n',
        '    item = ""\n',
        "tests/unit/plan/test_launch_requests.py::test_the_items_of_a_slot_have_a_token_each",
    ),
    Bug(
        "count-a-task-that-somebody-stopped-as-success",
        f"{_PLAN}/outcome.py",
        " and not _cut_short(task):",
        ":",
        "tests/unit/plan/test_outcome.py::test_every_end_has_its_word",
    ),
    Bug(
        "write-a-status-over-a-newer-one",
        f"{_CONTROLLER}/statuses.py",
        "fenced=True",
        "fenced=False",
        "tests/unit/controller/test_statuses.py::"
        "test_what_was_decided_on_an_older_state_is_not_written_over_a_newer_one",
    ),
    Bug(
        "write-a-status-that-nothing-changed",
        f"{_CONTROLLER}/statuses.py",
        "if patch else None\n    if written",
        "\n    if written",
        "tests/unit/controller/test_tasks.py::TestStatus::test_a_second_reconcile_writes_nothing",
    ),
    Bug(
        "work-on-one-key-twice-at-once",
        f"{_CONTROLLER}/workqueue.py",
        "        if key in self._working:\n            touched",
        "        if False:\n            touched",
        "tests/unit/controller/test_workqueue.py::test_a_key_touched_while_it_is_worked_on_comes_back_after_it_is_done",
    ),
    Bug(
        "forget-what-came-while-a-key-was-worked-on",
        f"{_CONTROLLER}/workqueue.py",
        "            if touched is not None:\n                self._add(key, touched)\n",
        "            del touched\n",
        "tests/unit/controller/test_workqueue.py::test_a_key_touched_while_it_is_worked_on_comes_back_after_it_is_done",
    ),
    Bug(
        "quote-env-values-in-an-error",
        "backgroundtask/aws/ecs.py",
        "        with translated(private=definition.env.values()):\n",
        "        with translated():\n",
        "tests/unit/aws_adapters/test_aws_errors.py::test_no_env_value_that_aws_quotes_is_told_to_anyone",
    ),
    Bug(
        "delete-a-run-that-git-owns",
        f"{_PLAN}/runs.py",
        "    return is_of_task and not is_from_git(run) and metadata.deletion_timestamp is None",
        "    return is_of_task and metadata.deletion_timestamp is None",
        "tests/unit/plan/test_run_life.py::test_what_is_not_ours_to_delete_is_neither_deleted_nor_counted",
    ),
    Bug(
        "write-without-asking-the-lease",
        "backgroundtask/aws/fencing.py",
        "            before_write()\n",
        "            return\n",
        "tests/unit/aws_adapters/test_aws_fencing.py::test_a_write_is_not_sent_once_the_lease_is_lost_and_a_read_is",
    ),
    Bug(
        "count-the-lease-from-the-answer",
        f"{_CONTROLLER}/fence.py",
        "        self._renewed_at = began\n",
        "        self._renewed_at = self._clock()\n",
        "tests/unit/controller/test_fence.py::test_it_counts_from_the_moment_in_which_the_renewal_began",
    ),
    Bug(
        "take-a-lease-that-somebody-holds",
        "backgroundtask/kube/lease.py",
        "    left = observed_at + record.duration - now\n",
        "    left = observed_at - now\n",
        "tests/unit/kube/test_election.py::test_at_no_time_do_two_believe_that_they_lead",
    ),
    Bug(
        "stop-nothing-that-started-during-a-teardown",
        f"{_CONTROLLER}/holdings.py",
        "            self._stop(self._running() - uses)  # what a firing that was under way has started meanwhile\n",
        "",
        "tests/unit/controller/test_troubles.py::TestTime::"
        "test_a_firing_that_was_under_way_while_the_task_was_taken_down_is_stopped",
    ),
    Bug(
        "believe-a-list-that-lacks-what-was-just-registered",
        "backgroundtask/aws/ecs.py",
        "        self._unseen.made(_family(arn), arn, None)\n",
        "",
        "tests/unit/aws_adapters/test_aws_unseen.py::"
        "test_a_revision_that_was_just_registered_is_active_though_ecs_lists_it_not",
    ),
    Bug(
        "leave-a-schedule-that-is-not-found-yet",
        "backgroundtask/aws/schedules.py",
        "            if self._unseen.has(group, name):\n",
        "            if False:\n",
        "tests/unit/aws_adapters/test_aws_unseen.py::test_a_schedule_that_was_just_made_is_waited_for",
    ),
    Bug(
        "launch-without-leave",
        f"{_CONTROLLER}/launches.py",
        "        if step.needs_leave:\n",
        "        if False:\n",
        f"{_LAUNCHES}::TestForbid::test_leave_is_stored_before_the_launch",
    ),
    Bug(
        "freeze-a-launch-after-it-was-made",
        f"{_CONTROLLER}/launches.py",
        "        run = self._ledger.status(run, frozen(run, launch, now))\n",
        "        self._context.cloud(grounds.site).ecs.run(__import__('json').loads(launch.request))\n"
        "        run = self._ledger.status(run, frozen(run, launch, now))\n",
        f"{_LAUNCHES}::TestOnDemand::test_a_run_that_somebody_makes_is_held_frozen_and_launched_in_this_order",
    ),
    Bug(
        "launch-again-with-the-token-of-the-first-time",
        f"{_PLAN}/requests.py",
        'again = f".{number}" if number else ""',
        'again = ""',
        "tests/unit/plan/test_launch_requests.py::test_two_launches_share_no_token",
    ),
    Bug(
        "repeat-a-launch-whose-token-ecs-has-forgotten",
        f"{_PLAN}/launching.py",
        "_TOKEN_KNOWN = timedelta(minutes=50)",
        "_TOKEN_KNOWN = timedelta(minutes=90)",
        "tests/unit/plan/test_decisions.py::TestUnderWay::test_a_run_that_was_launched",
    ),
    Bug(
        "repeat-a-launch-that-is-no-longer-allowed",
        f"{_CONTROLLER}/launches.py",
        "            self._judge_again(run)\n",
        "            pass\n",
        f"{_LAUNCHES}::TestUnknownAnswers::"
        "test_a_launch_without_an_answer_is_not_repeated_once_it_is_no_longer_allowed",
    ),
    Bug(
        "forbid-beside-runs-of-schedules-only",
        f"{_PLAN}/leave.py",
        "        if unit_of(one) != unit\n        and one.status.phase not in ENDS\n",
        "        if unit_of(one) != unit\n        and one.metadata.owner_references\n"
        "        and one.status.phase not in ENDS\n",
        f"{_LAUNCHES}::TestForbid::test_of_two_that_are_asked_for_one_waits_for_the_end_of_the_other",
    ),
    Bug(
        "launch-what-was-cancelled",
        f"{_PLAN}/stops.py",
        "    if run.spec.cancel:\n",
        "    if run.spec.cancel and is_launched(run):\n",
        "tests/unit/plan/test_decision_laws.py::test_nothing_is_launched_that_is_over_stopped_too_late_or_suspended",
    ),
    Bug(
        "launch-a-slot-after-its-deadline",
        f"{_PLAN}/lateness.py",
        "    if until is not None and scene.now >= until:\n",
        "    if False:\n",
        "tests/unit/plan/test_decision_laws.py::test_nothing_is_launched_that_is_over_stopped_too_late_or_suspended",
    ),
    Bug(
        "answer-a-tick-before-its-run-is-there",
        f"{_CONTROLLER}/slots.py",
        "        try:\n            self._heed(hint, one)\n",
        "        hint.stored()\n        try:\n            self._heed(hint, one)\n",
        f"{_TOLD}::TestTicks::test_a_tick_is_not_answered_before_its_run_is_there",
    ),
    Bug(
        "count-refused-launches-against-the-backoff-limit",
        f"{_PLAN}/transitions.py",
        "launch_failures=failures, retry_time=retry_time)",
        "launch_failures=failures, failed_attempts=failures, retry_time=retry_time)",
        f"{_LAUNCHES}::TestUnknownAnswers::"
        "test_a_launch_that_was_refused_is_made_again_with_a_new_token_and_counts_no_failure",
    ),
    Bug(
        "keep-the-younger-of-two-tasks",
        f"{_PLAN}/attempts.py",
        'task.arn) > (than.launch_time or "", than.task_arn or "")',
        'task.arn) < (than.launch_time or "", than.task_arn or "")',
        "tests/unit/controller/test_second_tasks.py::"
        "test_the_younger_one_is_stopped_and_the_run_ends_as_the_older_one_does",
    ),
    Bug(
        "move-the-cursor-over-a-slot-without-a-run",
        f"{_PLAN}/slots.py",
        "        until = slot.time if is_whole else until\n",
        "        until = slot.time\n",
        "tests/unit/plan/test_slot_accounts.py::TestAccount::"
        "test_the_cursor_passes_slots_that_have_their_run_and_stops_before_one_that_has_none",
    ),
    Bug(
        "launch-a-slot-late-without-looking-for-its-task",
        f"{_PLAN}/launching.py",
        "    return Next((Search(run=run, otherwise=step) if is_awaited(run) else step,), look)\n",
        "    return Next((step,), look)\n",
        "tests/unit/plan/test_decisions.py::TestAwaited::"
        "test_the_schedule_is_left_alone_with_its_slot_for_as_long_as_it_tries",
    ),
    Bug(
        "call-a-slot-missed-with-its-events-unread",
        f"{_PLAN}/launching.py",
        "    if not is_awaited(run) or is_read_since(",
        "    if True or is_read_since(",
        f"{_TOLD}::TestNobodyTold::test_nothing_is_missed_before_the_events_were_read_that_may_say_otherwise",
    ),
    Bug(
        "store-the-values-of-overrides",
        f"{_PLAN}/requests.py",
        "    text = json.dumps(request, sort_keys=True",
        "    for one in run.spec.overrides.env if run.spec.overrides else ():\n"
        '        request["overrides"]["containerOverrides"][0]["environment"].append(one.model_dump())\n'
        "    text = json.dumps(request, sort_keys=True",
        "tests/unit/plan/test_launch_requests.py::test_overrides_are_sent_and_not_stored",
    ),
    Bug(
        "let-a-run-go-whose-launch-nobody-knows",
        f"{_CONTROLLER}/endings.py",
        "    return asked is None or now - asked >= _SHOWN_BY\n",
        "    return True\n",
        f"{_LAUNCHES}::TestDeletion::test_one_that_started_nothing_goes_when_ecs_would_show_it",
    ),
    Bug(
        "handle-a-request-before-its-run-is-there",
        f"{_CONTROLLER}/task_pass.py",
        "            self._handled_run = on_demand.answer(",
        "            self._handled_run = self._task.run_request\n            self._handled_run = on_demand.answer(",
        f"{_LAUNCHES}::TestAnnotation::test_the_value_is_handled_only_after_its_run_is_there",
    ),
    Bug(
        "look-away-from-slots-that-come-during-a-pass",
        f"{_CONTROLLER}/task_pass.py",
        "since=begins or began",
        "since=now",
        f"{_TOLD}::TestNobodyTold::test_a_slot_that_comes_during_a_pass_and_that_does_not_fire_is_made_up_for",
    ),
    Bug(
        "keep-each-run-of-a-rate-as-a-lock",
        f"{_PLAN}/slots.py",
        "    return max(since, before)\n",
        "    return since\n",
        f"{_TOLD}::TestTheCursor::test_runs_of_a_rate_whose_slots_nobody_knows_are_pruned_an_hour_later",
    ),
    Bug(
        "give-a-place-to-whoever-is-there",
        f"{_CONTROLLER}/admission.py",
        "        return sorted(self.waiting)[:free] if free else []\n",
        "        return sorted(self.waiting, reverse=True)[:free] if free else []\n",
        f"{_LAUNCHES}::TestLimit::test_more_runs_than_the_template_allows_wait_and_go_in_the_order_they_were_asked_for",
    ),
)
"""All of them."""
