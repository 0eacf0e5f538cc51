// PromQL as the dashboards use it.
//
// Two exporter replicas read the same Redis and serve the same numbers: a series is reduced with `max by`
// over its instances first, and only then summed over queues. With `instance`, every selector also follows
// the variable of that name, for the dashboard about the exporter itself.
function(instance=false) {
  local queries = self,
  local system = 'cluster=~"$cluster", job=~"$job"' + (if instance then ', instance=~"$instance"' else ''),
  local queue = system + ', queue=~"$queue"',
  local and(matchers, more) = if more == '' then matchers else matchers + ', ' + more,
  local by(labels, more) = if more == '' then labels else labels + ', ' + more,

  // Labels to join two series of one queue, or of one system.
  onQueue:: 'on (cluster, job, queue)',
  onSystem:: 'on (cluster, job)',

  // Selectors.
  ofSystem(metric, more=''):: '%s{%s}' % [metric, and(system, more)],
  ofQueue(metric, more=''):: '%s{%s}' % [metric, and(queue, more)],

  // One series per queue (and `labels`), one per system (and `labels`), and one number for all that is selected.
  perQueue(metric, more='', labels='')::
    'max by (%s) (%s)' % [by('cluster, job, queue', labels), queries.ofQueue(metric, more)],
  perSystem(metric, more='', labels='')::
    'max by (%s) (%s)' % [by('cluster, job', labels), queries.ofSystem(metric, more)],
  sumOfQueues(metric, more=''):: 'sum(%s)' % queries.perQueue(metric, more),
  sumOfSystems(metric, more=''):: 'sum(%s)' % queries.perSystem(metric, more),
  worstQueue(metric, more=''):: 'max(%s)' % queries.ofQueue(metric, more),
  highest(metric, more=''):: 'max(%s)' % queries.ofSystem(metric, more),
  lowest(metric, more=''):: 'min(%s)' % queries.ofSystem(metric, more),

  // Counters.
  rateOfQueue(metric)::
    'max by (cluster, job, queue) (rate(%s[$__rate_interval]))' % queries.ofQueue(metric),
  rateOfSystem(metric, more='', labels='')::
    'max by (%s) (rate(%s[$__rate_interval]))' % [by('cluster, job', labels), queries.ofSystem(metric, more)],
  increaseOfQueue(metric, window)::
    'max by (cluster, job, queue) (increase(%s[%s]))' % [queries.ofQueue(metric), window],
  increaseOfSystem(metric, window)::
    'max by (cluster, job) (increase(%s[%s]))' % [queries.ofSystem(metric), window],

  // a / b without the division by nothing that an idle queue would give.
  ratio(a, b):: '%s\n/\n(%s > 0)' % [a, b],

  // Of each queue: the share of attempts that failed, the tasks a second by which it grows, how long what waits will take.
  failureRatio():: queries.ratio(queries.rateOfQueue('asynq_failed_total'), queries.rateOfQueue('asynq_processed_total')),
  growth()::
    'max by (cluster, job, queue) (deriv(%s[$__rate_interval]))' % queries.ofQueue('asynq_queue_size'),
  timeToDrain()::
    local pending = queries.perQueue('asynq_pending_tasks');
    '%s\nor\n%s == 0' % [queries.ratio(pending, queries.rateOfQueue('asynq_processed_total')), pending],

  // Slots in use as a share of all slots.
  slotsInUse()::
    queries.ratio(queries.sumOfSystems('asynq_busy_workers'), queries.sumOfSystems('asynq_worker_concurrency')),

  // A count or sum that shows 0 where nothing matches.
  orZero(expr):: '%s or vector(0)' % expr,

  // 0 within the normal range, 1 above it, 2 above the warning, 3 above the critical level of the queue's own ladder.
  ladder()::
    local step(level, weight, metric, state) =
      '%d * (%s > bool %s group_right %s)' % [
        weight,
        queries.perQueue(metric),
        queries.onQueue,
        queries.perQueue('asynq_queue_threshold', 'state="%s", level="%s"' % [state, level], 'state, level'),
      ];
    'max by (cluster, job, queue) (\n  %s\n)' % std.join('\n  or\n  ', [
      step(level[0], level[1], state[1], state[0])
      for state in [['pending', 'asynq_pending_tasks'], ['archived', 'asynq_dead_tasks']]
      for level in [['info', 1], ['warning', 2], ['critical', 3]]
    ]),

  // 0 NORMAL, 1 WARNING, 2 CRITICAL.
  backpressure()::
    'max(%s or 2 * %s)' % [
      queries.perSystem('asynq_backpressure_state', 'state="WARNING"', 'state'),
      queries.perSystem('asynq_backpressure_state', 'state="CRITICAL"', 'state'),
    ],
  backpressureOfQueue()::
    'max by (cluster, job, queue) (%s or 2 * %s)' % [
      queries.perQueue('asynq_queue_backpressure_state', 'state="WARNING"', 'state'),
      queries.perQueue('asynq_queue_backpressure_state', 'state="CRITICAL"', 'state'),
    ],

  // Targets; the panels number them.
  range(expr, legend):: { expr: expr, legendFormat: legend, range: true },
  instant(expr, legend=''):: { expr: expr, legendFormat: legend, instant: true, range: false },
  rows(expr):: { expr: expr, format: 'table', instant: true, range: false },
}
