// Tasks that went wrong or got stuck.
function(kit)
  local config = kit.config, alerts = kit.alerts, q = kit.queries, p = kit.panels, w = kit.words;
  local texts = kit.texts((import 'texts/health.libsonnet')(config));
  local t = texts.panels;

  local retrySteps = [[null, 'green'], [alerts.AsynqRetryHigh.threshold, 'orange']];
  local deadSteps = [[null, 'green'], [alerts.AsynqDeadTasksGrowing.threshold, 'orange']];
  local delaySteps = [[null, 'green'], [alerts.AsynqForwarderStalled.threshold, 'orange']];
  local capSteps = [[null, 'green'], [alerts.AsynqArchiveNearCap.ratio / 2, 'yellow'], [alerts.AsynqArchiveNearCap.ratio, 'red']];
  // A stat changes colour above the threshold, as the alert does; a dashed line stands on it.
  local above(steps) = [steps[0]] + [[step[0] + 1, step[1]] for step in steps[1:]];
  local due = q.sumOfQueues('asynq_scheduled_overdue_tasks') + ' + ' + q.sumOfQueues('asynq_retry_overdue_tasks');
  local orphans = q.perQueue('asynq_orphaned_tasks', labels='reason');
  local breaker(state) = q.perSystem('asynq_circuit_breaker_state', 'state="' + state + '"', 'scope, name, state');

  local headline = [
    [p.stat(t.retrying, 'short', [q.range(q.worstQueue('asynq_retry_tasks'), t.retrying.title)], {
      spark: true,
      steps: above(retrySteps),
    }), 3, 4],
    [p.stat(t.archived, 'short', [q.range(q.sumOfQueues('asynq_dead_tasks'), t.archived.title)], { spark: true }), 3, 4],
    [p.stat(t.recent, 'short', [q.range(q.worstQueue('asynq_dead_tasks_last_hour'), t.recent.title)], {
      spark: true,
      steps: above(deadSteps),
    }), 3, 4],
    [p.stat(t.due, 'short', [q.range(due, t.due.title)], { spark: true }), 3, 4],
    [p.stat(t.delay, 's', [q.range(q.worstQueue('asynq_forwarding_delay_seconds'), t.delay.title)], {
      spark: true,
      steps: delaySteps,
    }), 3, 4],
    [p.stat(t.orphans, 'short', [q.range(q.sum(orphans), t.orphans.title)], {
      spark: true,
      steps: [[null, 'green'], [alerts.AsynqTasksOrphaned.threshold + 1, 'orange']],
    }), 3, 4],
    [p.stat(t.fill, 'percentunit', [
      q.range(q.worstQueue('asynq_dead_tasks') + ' / ' + config.archive.cap, t.fill.title),
    ], { spark: true, steps: capSteps }), 3, 4],
    [p.stat(t.breakers, 'short', [
      q.instant(q.orZero(q.sum(q.perSystem('asynq_circuit_breaker_state', 'state!="CLOSED"', 'scope, name, state')))),
    ], { steps: [[null, 'green'], [1, 'red']] }), 3, 4],
  ];

  local retry = [
    [p.timeseries(t.retry, 'short', [q.range(q.perQueue('asynq_retry_tasks'), '{{queue}}')], {
      lines: true,
      steps: retrySteps,
    }), 8, 8],
    [p.timeseries(t.overdue, 'short', [
      q.range(q.perQueue('asynq_scheduled_overdue_tasks'), '{{queue}} ' + w.series.scheduled),
      q.range(q.perQueue('asynq_retry_overdue_tasks'), '{{queue}} ' + w.series.retry),
    ]), 8, 8],
    [p.timeseries(t.forwarding, 's', [q.range(q.perQueue('asynq_forwarding_delay_seconds'), '{{queue}}')], {
      lines: true,
      steps: delaySteps,
    }), 8, 8],
  ];

  local archive = [
    [p.timeseries(t.dead, 'short', [
      q.range(q.perQueue('asynq_dead_tasks'), '{{queue}}'),
      q.range(q.perQueue('asynq_queue_threshold', 'state="archived"', 'level'), '{{queue}} {{level}}'),
    ], { overrides: [p.override('byFrameRefID', 'B', p.dashed)] }), 6, 8],
    [p.timeseries(t.hourly, 'short', [q.range(q.perQueue('asynq_dead_tasks_last_hour'), '{{queue}}')], {
      lines: true,
      steps: deadSteps,
    }), 6, 8],
    [p.timeseries(t.oldest, 's', [q.range(q.perQueue('asynq_oldest_dead_task_seconds'), '{{queue}}')]), 6, 8],
    [p.bars(t.caps, 'percentunit', [
      q.instant(q.perQueue('asynq_dead_tasks') + ' / ' + config.archive.cap, '{{queue}}'),
    ], { max: 1, steps: capSteps }), 6, 8],
  ];

  local stuck = [
    [p.timeseries(t.lost, 'short', [q.range(orphans, '{{queue}} {{reason}}')], { stack: true }), 8, 8],
    [p.timeline(t.checks, 'none', [
      q.range('min by (check) (' + q.ofSystem('asynq_health_check') + ')', '{{check}}'),
    ], {
      mappings: [[0, w.states.unhealthy, 'red'], [1, w.states.healthy, 'green']],
    }), 8, 8],
    [p.timeline(t.circuits, 'none', [
      q.range(
        'max by (scope, name) (0 * ' + breaker('CLOSED') + ' or ' + breaker('HALF_OPEN') + ' or 2 * ' + breaker('OPEN') + ')',
        '{{scope}} {{name}}',
      ),
    ], {
      mappings: [[0, 'CLOSED', 'green'], [1, 'HALF_OPEN', 'orange'], [2, 'OPEN', 'red']],
    }), 8, 8],
  ];

  kit.dashboard(config.uids.health, texts, [
    { title: texts.rows.headline, panels: headline },
    { title: texts.rows.retry, panels: retry },
    { title: texts.rows.archive, panels: archive },
    { title: texts.rows.stuck, panels: stuck },
  ])
