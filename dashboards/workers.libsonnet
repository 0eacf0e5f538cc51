// Who does the work: worker processes, their slots, and the schedulers of periodic tasks.
function(kit)
  local config = kit.config, alerts = kit.alerts, q = kit.queries, p = kit.panels, w = kit.words, c = w.columns;
  local texts = kit.texts((import 'texts/workers.libsonnet')(config));
  local t = texts.panels;

  local saturation = [[null, 'green'], [alerts.AsynqWorkersSaturated.threshold, 'orange']];
  local tooLong = [[null, 'green'], [alerts.AsynqTaskRunningTooLong.threshold, 'orange']];
  local aboveZero = [[null, 'green'], [1, 'orange']];

  local headline = [
    [p.stat(t.live, 'short', [q.range(q.sumOfSystems('asynq_active_workers'), w.series.workers)], {
      spark: true,
      steps: [[null, 'red'], [alerts.AsynqWorkersOffline.threshold + 1, 'green']],
    }), 3, 4],
    [p.stat(t.slots, 'short', [q.range(q.sumOfSystems('asynq_worker_concurrency'), w.series.slots)], { spark: true }), 3, 4],
    [p.stat(t.busy, 'percentunit', [q.range(q.slotsInUse(), w.series.busy)], {
      spark: true,
      decimals: 0,
      steps: saturation,
      noValue: '-',
    }), 3, 4],
    [p.stat(t.longest, 's', [q.range(q.worstQueue('asynq_oldest_active_task_seconds'), t.longest.title)], {
      spark: true,
      steps: tooLong,
      noValue: '-',
    }), 3, 4],
    [p.stat(t.orphans, 'short', [
      q.range(q.sum(q.perQueue('asynq_orphaned_tasks', labels='reason')), t.orphans.title),
    ], {
      spark: true,
      steps: [[null, 'green'], [alerts.AsynqTasksOrphaned.threshold + 1, 'orange']],
    }), 3, 4],
    [p.stat(t.schedulers, 'short', [q.range(q.sumOfSystems('asynq_schedulers'), w.series.schedulers)], { spark: true }), 3, 4],
    [p.stat(t.entries, 'short', [q.range(q.sumOfSystems('asynq_scheduler_entries'), w.series.entries)], { spark: true }), 3, 4],
    [p.stat(t.overdue, 'short', [q.range(q.sumOfSystems('asynq_scheduler_overdue_entries'), w.series.overdue)], {
      spark: true,
      steps: [[null, 'green'], [alerts.AsynqSchedulerEntryOverdue.threshold + 1, 'orange']],
    }), 3, 4],
  ];

  local fleet = [
    [p.timeseries(t.status, 'short', [
      q.range('sum by (status) (' + q.perSystem('asynq_worker_servers', labels='status') + ')', '{{status}}'),
    ], { stack: true }), 6, 8],
    [p.timeseries(t.usage, 'short', [
      q.range(q.sumOfSystems('asynq_worker_concurrency'), w.series.slots),
      q.range(q.sumOfSystems('asynq_busy_workers'), w.series.busy),
    ]), 6, 8],
    [p.timeseries(t.utilisation, 'percentunit', [q.range(q.slotsInUse(), w.series.busy)], {
      max: 1,
      lines: true,
      steps: saturation,
    }), 6, 8],
    [p.timeseries(t.changes, 'short', [
      q.range(
        q.maxOfSystem('changes(' + q.ofSystem('asynq_active_workers') + '[$__rate_interval])'),
        '{{job}}',
      ),
    ]), 6, 8],
  ];

  local queues = [
    [p.timeseries(t.perQueue, 'short', [q.range(q.perQueue('asynq_queue_workers'), '{{queue}}')]), 8, 8],
    [p.timeseries(t.active, 'short', [q.range(q.perQueue('asynq_active_tasks'), '{{queue}}')], { stack: true }), 8, 8],
    [p.timeseries(t.running, 's', [q.range(q.perQueue('asynq_oldest_active_task_seconds'), '{{queue}}')], {
      lines: true,
      steps: tooLong,
    }), 8, 8],
    [p.timeseries(t.lost, 'short', [
      q.range(q.perQueue('asynq_orphaned_tasks', labels='reason'), '{{queue}} {{reason}}'),
    ], { stack: true }), 12, 8],
    [p.table(t.shares, 'short', [
      q.rows(q.perQueue('asynq_queue_weight')),
      q.rows(q.perQueue('asynq_queue_workers')),
      q.rows(q.perQueue('asynq_active_tasks')),
      q.rows(q.rateOfQueue('asynq_processed_total')),
      q.rows(
        q.rateOfQueue('asynq_processed_total')
        + '\n/ on (cluster, job) group_left ()\n(sum by (cluster, job) ('
        + q.rateOfQueue('asynq_processed_total')
        + ') > 0)'
      ),
    ], [
      ['cluster', c.cluster, {}],
      ['queue', c.queue, { links: kit.queueLinks }],
      ['Value #A', c.weight, {}],
      ['Value #B', c.workers, {
        'custom.cellOptions': { type: 'color-text' },
        thresholds: p.steps([[null, 'red'], [1, 'text']]),
      }],
      ['Value #C', c.active, {}],
      ['Value #D', c.rate, { unit: 'ops' }],
      ['Value #E', c.share, { unit: 'percentunit', min: 0, max: 1, 'custom.cellOptions': p.barCell }],
    ], { sort: [{ displayName: c.weight, desc: true }] }), 12, 8],
  ];

  local types = [
    [p.timeseries(t.durations, 's', [
      q.range(q.quantileOfTypes(0.95, 'asynq_task_duration_seconds'), '{{type}}'),
    ]), 8, 8],
    [p.timeseries(t.waits, 's', [
      q.range(q.quantileOfTypes(0.95, 'asynq_task_wait_seconds'), '{{type}}'),
    ]), 8, 8],
    [p.timeseries(t.failing, 'percentunit', [
      q.range(q.ratio(
        q.rateOfTypes('asynq_task_attempts_total', 'outcome="failed"'),
        'sum without (outcome) (' + q.maxOfSystem(q.rate(q.ofSystem('asynq_task_attempts_total')), 'type, outcome') + ')'
      ), '{{type}}'),
    ]), 8, 8],
  ];

  local schedulers = [
    [p.timeseries(t.scheduling, 'short', [
      q.range(q.sumOfSystems('asynq_schedulers'), w.series.schedulers),
      q.range(q.sumOfSystems('asynq_scheduler_entries'), w.series.entries),
    ]), 12, 7],
    [p.timeseries(t.late, 'short', [q.range(q.sumOfSystems('asynq_scheduler_overdue_entries'), w.series.overdue)], {
      lines: true,
      steps: aboveZero,
    }), 12, 7],
  ];

  kit.dashboard(config.uids.workers, texts, [
    { title: texts.rows.headline, panels: headline },
    { title: texts.rows.fleet, panels: fleet },
    { title: texts.rows.queues, panels: queues },
    { title: texts.rows.types, panels: types },
    { title: texts.rows.schedulers, panels: schedulers },
  ])
