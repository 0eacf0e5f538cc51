// Is the task queue well, and if not, which queue first?
function(kit)
  local config = kit.config, alerts = kit.alerts, q = kit.queries, p = kit.panels, w = kit.words;
  local texts = kit.texts((import 'texts/overview.libsonnet')(config));
  local t = texts.panels;

  local zeroIsGood = [[null, 'green'], [1, 'orange']];

  local trends = [
    [p.timeseries(t.size, 'short', [q.range(q.perQueue('asynq_queue_size'), '{{queue}}')]), 6, 8],
    [p.timeseries(t.rate, 'ops', [q.range(q.rateOfQueue('asynq_processed_total'), '{{queue}}')]), 6, 8],
    [p.timeseries(t.failures, 'percentunit', [q.range(q.failureRatio(), '{{queue}}')], {
      lines: true,
      steps: kit.failureSteps,
    }), 6, 8],
    [p.timeseries(t.workers, 'short', [
      q.range(q.sumOfSystems('asynq_active_workers'), w.series.workers),
      q.range(q.sumOfSystems('asynq_busy_workers'), w.series.busy),
      q.range(q.sumOfSystems('asynq_worker_concurrency'), w.series.slots),
    ]), 6, 8],
  ];

  local headline = [
    [p.stat(t.health, 'none', [q.instant(q.lowest('asynq_system_health'))], {
      color: 'background',
      mappings: [[0, w.states.unhealthy, 'red'], [1, w.states.healthy, 'green']],
    }), 3, 4],
    [p.stat(t.redis, 'none', [q.instant(q.lowest('asynq_up'))], {
      color: 'background',
      mappings: [[0, w.states.down, 'red'], [1, w.states.up, 'green']],
    }), 3, 4],
    [p.stat(t.scan, 's', [q.instant('time() - ' + q.highest('asynq_exporter_last_scan_timestamp_seconds'))], {
      decimals: 0,
    }), 3, 4],
    [p.stat(t.live, 'short', [q.range(q.sumOfSystems('asynq_active_workers'), w.series.workers)], {
      spark: true,
      steps: [[null, 'red'], [alerts.AsynqWorkersOffline.threshold + 1, 'green']],
    }), 3, 4],
    [p.stat(t.backpressure, 'none', [q.instant(q.backpressure())], {
      color: 'background',
      mappings: kit.backpressureMappings,
    }), 3, 4],
    [p.stat(t.firing, 'short', [
      q.instant(q.orZero('count(' + kit.firing(', alertname!="AsynqWatchdog"') + ')')),
    ], { steps: zeroIsGood }), 3, 4],
    [p.stat(t.above, 'short', [
      q.instant(q.orZero('count(' + q.ladder() + ' >= 2)')),
    ], { steps: zeroIsGood }), 3, 4],
    [p.stat(t.paused, 'short', [q.instant(q.sumOfQueues('asynq_queue_paused'))], { steps: zeroIsGood }), 3, 4],

    [p.stat(t.pending, 'short', [q.range(q.sumOfQueues('asynq_pending_tasks'), w.columns.pending)], { spark: true }), 3, 4],
    [p.stat(t.oldest, 's', [q.range(q.worstQueue('asynq_queue_latency_seconds'), w.columns.oldest)], {
      spark: true,
      steps: [
        [null, 'green'],
        [alerts.AsynqQueueLatencyHigh.other.warning, 'orange'],
        [alerts.AsynqQueueLatencyHigh.other.critical, 'red'],
      ],
    }), 3, 4],
    [p.stat(t.throughput, 'ops', [
      q.range(q.sum(q.rateOfQueue('asynq_processed_total')), w.series.processed),
    ], { spark: true }), 3, 4],
    [p.stat(t.ratio, 'percentunit', [
      q.instant(q.failureRatioOfAll()),
    ], { steps: kit.failureSteps, decimals: 2, noValue: '-' }), 3, 4],
    [p.stat(t.retry, 'short', [q.range(q.worstQueue('asynq_retry_tasks'), w.columns.retry)], {
      spark: true,
      steps: [[null, 'green'], [alerts.AsynqRetryHigh.threshold + 1, 'orange']],
    }), 3, 4],
    [p.stat(t.archived, 'short', [q.range(q.worstQueue('asynq_dead_tasks_last_hour'), w.columns.archived)], {
      spark: true,
      steps: [[null, 'green'], [alerts.AsynqDeadTasksGrowing.threshold + 1, 'orange']],
    }), 3, 4],
    [p.stat(t.drain, 's', [
      q.instant(q.ratio(
        q.sumOfQueues('asynq_pending_tasks'),
        q.sum(q.rateOfQueue('asynq_processed_total')),
      )),
    ], { noValue: '-' }), 3, 4],
    [p.stat(t.busy, 'percentunit', [q.range(q.slotsInUse(), w.series.busy)], {
      spark: true,
      decimals: 0,
      steps: [[null, 'green'], [alerts.AsynqWorkersSaturated.threshold, 'orange']],
      noValue: '-',
    }), 3, 4],
  ];

  local c = w.columns;
  local table = [
    [p.table(t.table, 'short', [
      q.rows(q.ladder()),
      q.rows(q.perQueue('asynq_pending_tasks')),
      q.rows(q.perQueue('asynq_active_tasks')),
      q.rows(q.perQueue('asynq_scheduled_tasks')),
      q.rows(q.perQueue('asynq_retry_tasks')),
      q.rows(q.perQueue('asynq_dead_tasks')),
      q.rows(q.perQueue('asynq_queue_latency_seconds')),
      q.rows(q.rateOfQueue('asynq_processed_total')),
      q.rows(q.failureRatio()),
      q.rows(q.timeToDrain()),
      q.rows(q.perQueue('asynq_queue_utilization_ratio')),
      q.rows(q.perQueue('asynq_queue_workers')),
      q.rows(q.perQueue('asynq_queue_paused')),
    ], [
      ['cluster', c.cluster, {}],
      ['queue', c.queue, { links: kit.queueLinks }],
      ['Value #A', c.level, {
        'custom.cellOptions': p.coloured,
        mappings: p.mappings(kit.ladderMappings),
      }],
      ['Value #B', c.pending, {}],
      ['Value #C', c.active, {}],
      ['Value #D', c.scheduled, {}],
      ['Value #E', c.retry, {
        'custom.cellOptions': { type: 'color-text' },
        thresholds: p.steps([[null, 'text'], [alerts.AsynqRetryHigh.threshold + 1, 'orange']]),
      }],
      ['Value #F', c.archived, {}],
      ['Value #G', c.oldest, { unit: 's' }],
      ['Value #H', c.rate, { unit: 'ops' }],
      ['Value #I', c.failures, {
        unit: 'percentunit',
        'custom.cellOptions': { type: 'color-text' },
        thresholds: p.steps(kit.failureSteps),
      }],
      ['Value #J', c.drain, { unit: 's' }],
      ['Value #K', c.utilisation, {
        unit: 'percentunit',
        min: 0,
        max: 1,
        'custom.cellOptions': p.barCell,
        thresholds: p.steps(kit.backpressureSteps),
      }],
      ['Value #L', c.workers, {
        'custom.cellOptions': { type: 'color-text' },
        thresholds: p.steps([[null, 'red'], [1, 'text']]),
      }],
      ['Value #M', c.state, {
        'custom.cellOptions': { type: 'color-text' },
        mappings: p.mappings(kit.pausedMappings),
      }],
    ], { sort: [{ displayName: c.level, desc: true }] }), 24, 9],
  ];

  local backlog = [
    [p.timeseries(t.growth, 'ops', [
      q.range(q.growth(), '{{queue}}'),
    ], { min: null }), 8, 8],
    [p.timeseries(t.draining, 's', [q.range(q.timeToDrain(), '{{queue}}')]), 8, 8],
    [p.table(t.alerts, 's', [
      q.rows('(time() - ALERTS_FOR_STATE{alertname=~"Asynq.+", cluster=~"$cluster", job=~"$job|"}) and ignoring (alertstate) ' + kit.firing()),
    ], [
      ['alertname', c.alert, {}],
      ['severity', c.severity, {
        'custom.cellOptions': { type: 'color-text' },
        mappings: p.mappings([
          ['critical', 'critical', 'red'],
          ['warning', 'warning', 'orange'],
          ['info', 'info', 'blue'],
        ]),
      }],
      ['cluster', c.cluster, {}],
      ['queue', c.queue, { links: kit.queueLinks }],
      ['Value', c.since, { unit: 'dtdurations' }],
    ], { sort: [{ displayName: c.since, desc: false }] }), 8, 8],
  ];

  kit.dashboard(config.uids.overview, texts, [
    { title: texts.rows.trends, panels: trends },
    { title: texts.rows.headline, panels: headline },
    { title: texts.rows.queues, panels: table },
    { title: texts.rows.backlog, panels: backlog },
  ])
