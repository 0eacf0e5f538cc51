// Recording rules, by cluster, job and queue. A name reads level:metric:operation.
function(config)
  local rule = (import 'rule.libsonnet')(config);
  local level = 'cluster_job_queue';

  // Every window of the burn rate once; 5m is that of the throughput too.
  local windows = std.foldl(
    function(list, window) if std.member(list, window) then list else list + [window],
    ['5m'] + [row.short for row in config.slo.burn] + [row.long for row in config.slo.burn],
    [],
  );

  local record(name, expr) = { record: name, expr: expr };
  local processed(window) = '%s:asynq_processed:rate%s' % [level, window];
  local failed(window) = '%s:asynq_failed:rate%s' % [level, window];
  local failureRatio(window) = '%s:asynq_failure_ratio:rate%s' % [level, window];
  local successRatio(window) = '%s:asynq_success_ratio:rate%s' % [level, window];

  local drain = level + ':asynq_drain:deriv15m';
  local timeToDrain = level + ':asynq_time_to_drain_seconds:ratio';

  // A ratio has no value while nothing is processed: 0 / 0 would be NaN, and 0 or 1 a claim.
  local ratios(window) = [
    record(processed(window), rule.over('rate', 'asynq_processed_total', window)),
    record(failed(window), rule.over('rate', 'asynq_failed_total', window)),
    record(failureRatio(window), '%s / (%s > 0)' % [failed(window), processed(window)]),
    record(successRatio(window), '1 - %s' % failureRatio(window)),
  ];

  {
    // Names for alerts and dashboards.
    processed:: processed,
    failed:: failed,
    failureRatio:: failureRatio,
    successRatio:: successRatio,
    drain:: drain,
    timeToDrain:: timeToDrain,

    groups: [
      {
        name: 'asynq-throughput',
        rules: ratios('5m') + [
          // Tasks a second by which the backlog shrinks; below 0 it grows.
          record(drain, '-1 * %s' % rule.over('deriv', 'asynq_pending_tasks', '15m')),
          // How long the tasks that wait now will take at the present throughput, arrivals not counted.
          record(
            timeToDrain,
            '%s / (%s > 0)\nor\n%s == 0' % [
              rule.gauge('asynq_pending_tasks'),
              processed('5m'),
              rule.gauge('asynq_pending_tasks'),
            ]
          ),
        ],
      },
    ] + [
      {
        name: 'asynq-ratios-' + window,
        // Long windows move slowly; once a minute is enough.
        interval: '1m',
        rules: ratios(window),
      }
      for window in windows
      if window != '5m'
    ],
  }
