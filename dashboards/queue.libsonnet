// One queue in depth.
function(kit)
  local config = kit.config, alerts = kit.alerts, q = kit.queries, p = kit.panels, w = kit.words;
  local texts = kit.texts((import 'texts/queue.libsonnet')(config));
  local t = texts.panels;

  local latency = alerts.AsynqQueueLatencyHigh;
  // The limits of the latency alert as series of the chosen queues: each documented queue has its own or none, any other queue the common one.
  local latencyLimit(level) =
    local constant(matcher, value) = ('%g' % value) + ' + 0 * ' + q.perQueue('asynq_queue_size', matcher);
    std.join('\nor\n', [
      constant('queue="' + queue + '"', latency.queues[queue][level])
      for queue in std.objectFields(latency.queues)
      if std.objectHas(latency.queues[queue], level)
    ] + [
      constant('queue!~"' + std.join('|', std.objectFields(config.queues)) + '"', latency.other[level]),
    ]);

  local headline = [
    [p.stat(t.level, 'none', [q.instant('max(' + q.ladder() + ')')], {
      color: 'background',
      mappings: kit.ladderMappings,
      noValue: '-',
    }), 3, 4],
    [p.stat(t.pending, 'short', [q.range(q.sumOfQueues('asynq_pending_tasks'), w.columns.pending)], { spark: true }), 3, 4],
    [p.stat(t.oldest, 's', [q.range(q.worstQueue('asynq_queue_latency_seconds'), w.columns.oldest)], {
      spark: true,
      noValue: '-',
    }), 3, 4],
    [p.stat(t.throughput, 'ops', [
      q.range(q.sum(q.rateOfQueue('asynq_processed_total')), w.series.processed),
    ], { spark: true }), 3, 4],
    [p.stat(t.ratio, 'percentunit', [
      q.instant(q.failureRatioOfAll()),
    ], { steps: kit.failureSteps, decimals: 2, noValue: '-' }), 3, 4],
    [p.stat(t.retrying, 'short', [q.range(q.sumOfQueues('asynq_retry_tasks'), w.columns.retry)], { spark: true }), 3, 4],
    [p.stat(t.archived, 'short', [q.range(q.sumOfQueues('asynq_dead_tasks'), w.columns.archived)], { spark: true }), 3, 4],
    [p.stat(t.full, 'percentunit', [q.range(q.worstQueue('asynq_queue_utilization_ratio'), w.columns.utilisation)], {
      spark: true,
      steps: kit.backpressureSteps,
    }), 3, 4],
  ];

  local backlog = [
    [p.timeseries(t.states, 'short', [
      q.range(q.sumOfQueues('asynq_' + state[0] + '_tasks'), state[1])
      for state in [
        ['pending', 'pending'],
        ['active', 'active'],
        ['scheduled', 'scheduled'],
        ['retry', 'retry'],
        ['aggregating', 'aggregating'],
        ['dead', 'archived'],
        ['completed', 'completed'],
      ]
    ], { stack: true }), 12, 9],
    [p.timeseries(t.thresholds, 'short', [
      q.range(q.perQueue('asynq_pending_tasks'), '{{queue}}'),
      q.range(q.perQueue('asynq_queue_threshold', 'state="pending"', 'level'), '{{queue}} {{level}}'),
    ], { overrides: [p.override('byFrameRefID', 'B', p.dashed)] }), 12, 9],
    [p.timeseries(t.latency, 's', [
      q.range(q.perQueue('asynq_queue_latency_seconds'), '{{queue}}'),
      q.range(latencyLimit('warning'), '{{queue}} ' + w.states.warning),
      q.range(latencyLimit('critical'), '{{queue}} ' + w.states.critical),
    ], {
      overrides: [p.override('byFrameRefID', refId, p.dashed) for refId in ['B', 'C']],
    }), 12, 9],
    [p.timeline(t.levels, 'none', [q.range(q.ladder(), '{{queue}}')], { mappings: kit.ladderMappings }), 12, 9],
  ];

  local throughput = [
    [p.timeseries(t.outcome, 'ops', [
      q.range(
        q.sum(q.rateOfQueue('asynq_processed_total')) + ' - ' + q.sum(q.rateOfQueue('asynq_failed_total')),
        w.series.succeeded,
      ),
      q.range(q.sum(q.rateOfQueue('asynq_failed_total')), w.series.failed),
    ], {
      stack: true,
      overrides: [
        p.override('byFrameRefID', 'A', { color: { mode: 'fixed', fixedColor: 'green' } }),
        p.override('byFrameRefID', 'B', { color: { mode: 'fixed', fixedColor: 'red' } }),
      ],
    }), 6, 8],
    [p.timeseries(t.failures, 'percentunit', [q.range(q.failureRatio(), '{{queue}}')], {
      lines: true,
      steps: kit.failureSteps,
    }), 6, 8],
    [p.timeseries(t.growth, 'ops', [q.range(q.growth(), '{{queue}}')], { min: null }), 6, 8],
    [p.timeseries(t.drain, 's', [q.range(q.timeToDrain(), '{{queue}}')]), 6, 8],
  ];

  local errors = [
    [p.timeseries(t.retry, 'short', [q.range(q.perQueue('asynq_retry_tasks'), '{{queue}}')], {
      lines: true,
      steps: [[null, 'green'], [alerts.AsynqRetryHigh.threshold, 'orange']],
    }), 8, 8],
    [p.timeseries(t.dead, 'short', [q.range(q.perQueue('asynq_dead_tasks_last_hour'), '{{queue}}')], {
      lines: true,
      steps: [[null, 'green'], [alerts.AsynqDeadTasksGrowing.threshold, 'orange']],
    }), 8, 8],
    [p.timeseries(t.archive, 'short', [q.range(q.perQueue('asynq_dead_tasks'), '{{queue}}')]), 8, 8],
  ];

  local saturation = [
    [p.timeseries(t.utilisation, 'percentunit', [q.range(q.perQueue('asynq_queue_utilization_ratio'), '{{queue}}')], {
      lines: true,
      steps: kit.backpressureSteps,
    }), 8, 8],
    [p.timeline(t.backpressure, 'none', [q.range(q.backpressureOfQueue(), '{{queue}}')], {
      mappings: kit.backpressureMappings,
    }), 8, 8],
    [p.timeline(t.paused, 'none', [q.range(q.perQueue('asynq_queue_paused'), '{{queue}}')], {
      mappings: kit.pausedMappings,
    }), 8, 8],
    [p.timeseries(t.workers, 'short', [q.range(q.perQueue('asynq_queue_workers'), '{{queue}}')]), 8, 8],
    [p.timeseries(t.memory, 'bytes', [q.range(q.perQueue('asynq_queue_memory_bytes'), '{{queue}}')]), 8, 8],
    [p.timeseries(t.groups, 'short', [
      q.range(q.perQueue('asynq_aggregating_tasks'), '{{queue}} ' + w.series.tasks),
      q.range(q.perQueue('asynq_queue_groups'), '{{queue}} ' + w.series.groups),
    ]), 8, 8],
  ];

  local types = [
    [p.table(t.types, 'short', [
      q.rows(q.perQueue('asynq_sampled_tasks', labels='state, type')),
    ], [
      ['cluster', w.columns.cluster, {}],
      ['queue', w.columns.queue, {}],
      ['state', w.columns.state, {}],
      ['type', w.columns.type, {}],
      ['Value', w.columns.sampled, { 'custom.cellOptions': p.barCell, min: 0 }],
    ], { sort: [{ displayName: w.columns.sampled, desc: true }] }), 24, 8],
  ];

  kit.dashboard(config.uids.queue, texts, [
    { title: texts.rows.headline, panels: headline },
    { title: texts.rows.backlog, panels: backlog },
    { title: texts.rows.throughput, panels: throughput },
    { title: texts.rows.errors, panels: errors },
    { title: texts.rows.saturation, panels: saturation },
    { title: texts.rows.types, panels: types },
  ])
