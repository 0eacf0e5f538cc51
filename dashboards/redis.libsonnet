// The ground on which the queues stand, and the eye that looks at them. Here alone the exporter's instance matters.
function(kit)
  local config = kit.config, alerts = kit.alerts, q = kit.instanceQueries, p = kit.panels, w = kit.words, c = w.columns;
  local texts = kit.texts((import 'texts/redis.libsonnet')(config));
  local t = texts.panels;

  local memorySteps = [
    [null, 'green'],
    [alerts.AsynqRedisMemoryHigh.levels.warning, 'orange'],
    [alerts.AsynqRedisMemoryHigh.levels.critical, 'red'],
  ];
  // Without a limit the share of it is 0, not unknown.
  local memoryInUse(reduce) =
    local used = q.perSystem('asynq_redis_memory_used_bytes');
    reduce + '(' + q.ratio(used, q.perSystem('asynq_redis_memory_max_bytes')) + '\nor\n0 * ' + used + ')';
  local maxOfInstance(expr, labels='') = q.maxOfSystem(expr, 'instance' + labels);
  local perInstance(metric, labels='') = maxOfInstance(q.ofSystem(metric), labels);
  local info(label) = [q.instant('count by (' + label + ') (' + q.ofSystem('asynq_redis_info') + ')', '{{' + label + '}}')];

  local headline = [
    [p.stat(t.up, 'none', [q.instant(q.lowest('asynq_up'))], {
      color: 'background',
      mappings: [[0, w.states.down, 'red'], [1, w.states.up, 'green']],
    }), 3, 4],
    [p.stat(t.ping, 's', [q.range(q.highest('asynq_redis_ping_seconds'), t.ping.title)], { spark: true }), 3, 4],
    [p.stat(t.used, 'bytes', [q.range(q.sumOfSystems('asynq_redis_memory_used_bytes'), w.series.used)], { spark: true }), 3, 4],
    [p.stat(t.full, 'percentunit', [q.range(memoryInUse('max'), t.full.title)], {
      spark: true,
      decimals: 0,
      steps: memorySteps,
    }), 3, 4],
    [p.stat(t.policy, 'none', info('maxmemory_policy'), { field: 'maxmemory_policy' }), 3, 4],
    [p.stat(t.evicted, 'short', [
      q.instant(q.sum(q.increaseOfSystem('asynq_redis_evicted_keys_total', '$__range'))),
    ], { decimals: 0, steps: [[null, 'green'], [1, 'red']] }), 3, 4],
    [p.stat(t.version, 'none', info('version'), { field: 'version' }), 3, 4],
    [p.stat(t.role, 'none', info('role'), { field: 'role' }), 3, 4],
  ];

  local redis = [
    [p.timeseries(t.memory, 'bytes', [
      q.range(q.sumOfSystems('asynq_redis_memory_used_bytes'), w.series.used),
      q.range(q.sumOfSystems('asynq_redis_memory_max_bytes'), w.series.limit),
    ], { overrides: [p.override('byFrameRefID', 'B', p.dashed)] }), 8, 8],
    [p.timeseries(t.headroom, 'percentunit', [q.range(memoryInUse(''), '{{job}}')], {
      max: 1,
      lines: true,
      steps: memorySteps,
    }), 8, 8],
    [p.timeseries(t.queues, 'bytes', [q.range(q.perQueue('asynq_queue_memory_bytes'), '{{queue}}')], { stack: true }), 8, 8],
    [p.timeseries(t.losses, 'cps', [
      q.range(q.sum(q.rateOfSystem('asynq_redis_evicted_keys_total')), w.series.evicted),
      q.range(q.sum(q.rateOfSystem('asynq_redis_rejected_connections_total')), w.series.rejected),
    ]), 8, 8],
    [p.timeseries(t.clients, 'short', [
      q.range(q.sumOfSystems('asynq_redis_connected_clients'), w.series.connected),
      q.range(q.sumOfSystems('asynq_redis_blocked_clients'), w.series.blocked),
    ]), 8, 8],
    [p.timeseries(t.latency, 's', [q.range(perInstance('asynq_redis_ping_seconds'), '{{instance}}')]), 8, 8],
  ];

  local scan = [
    [p.timeline(t.targets, 'none', [q.range(perInstance('up'), '{{instance}}')], {
      mappings: [[0, w.states.down, 'red'], [1, w.states.up, 'green']],
    }), 8, 7],
    [p.timeseries(t.scrapes, 's', [q.range(perInstance('scrape_duration_seconds'), '{{instance}}')], {
      lines: true,
      steps: [[null, 'green'], [alerts.AsynqScanSlow.threshold, 'orange']],
    }), 8, 7],
    [p.timeseries(t.age, 's', [
      q.range('time() - ' + perInstance('asynq_exporter_last_scan_timestamp_seconds'), '{{instance}}'),
    ]), 8, 7],
    [p.timeseries(t.cost, 'short', [
      q.range(perInstance('asynq_exporter_scan_commands'), '{{instance}} ' + w.series.commands),
      q.range(perInstance('asynq_exporter_scan_round_trips'), '{{instance}} ' + w.series.trips),
    ]), 8, 7],
    [p.timeline(t.collectors, 'none', [
      q.range('min by (collector) (' + q.ofSystem('asynq_exporter_collector_success') + ')', '{{collector}}'),
    ], {
      mappings: [[0, w.states.failed, 'red'], [1, w.states.ok, 'green']],
    }), 8, 7],
    [p.timeseries(t.durations, 's', [
      q.range('max by (collector) (' + q.ofSystem('asynq_exporter_collector_duration_seconds') + ')', '{{collector}}'),
    ]), 8, 7],
  ];

  // Each exporter serves its own scrapes: these counters belong to an instance, not to Redis.
  local exporter = [
    [p.timeseries(t.results, 'cps', [
      q.range(
        maxOfInstance(q.rate(q.ofSystem('asynq_exporter_scrapes_total')), ', result'),
        '{{instance}} {{result}}',
      ),
    ]), 6, 7],
    [p.timeseries(t.errors, 'cps', [
      q.range(q.orZero(q.rateOfQueue('asynq_exporter_queue_errors_total')), '{{queue}}'),
    ]), 6, 7],
    [p.timeseries(t.known, 'short', [
      q.range('max by (result) (' + q.ofSystem('asynq_exporter_queues') + ')', '{{result}}'),
    ]), 6, 7],
    [p.timeseries(t.samples, 'short', [q.range(perInstance('scrape_samples_scraped'), '{{instance}}')]), 6, 7],
    [p.timeseries(t.resident, 'bytes', [q.range(perInstance('process_resident_memory_bytes'), '{{instance}}')]), 6, 7],
    [p.timeseries(t.cpu, 'percentunit', [
      q.range(
        maxOfInstance(q.rate(q.ofSystem('process_cpu_seconds_total'))),
        '{{instance}}',
      ),
    ]), 6, 7],
    [p.table(t.versions, 'short', [
      q.rows(perInstance('asynq_exporter_build_info', ', version, python')),
      q.rows('time() - ' + perInstance('process_start_time_seconds')),
    ], [
      ['cluster', c.cluster, {}],
      ['instance', c.instance, {}],
      ['version', c.version, {}],
      ['python', c.python, {}],
      ['Value #B', c.uptime, { unit: 'dtdurations' }],
    ]), 12, 7],
  ];

  kit.dashboard(config.uids.redis, texts, [
    { title: texts.rows.headline, panels: headline },
    { title: texts.rows.redis, panels: redis },
    { title: texts.rows.scan, panels: scan },
    { title: texts.rows.exporter, panels: exporter },
  ], instance=true)
