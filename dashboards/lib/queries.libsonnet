// PromQL as the dashboards use it.
//
// Two exporter replicas read the same Redis and serve the same numbers: a series is reduced with `max by`
// over its instances first, and only then summed over queues. With `instance`, every selector also follows
// the variable of that name, for the dashboard about the exporter itself.
// (Strings are joined with + here: the % of jsonnet reads them letter by letter.)
function(instance=false) {
  local queries = self,
  local system = 'cluster=~"$cluster", job=~"$job"' + (if instance then ', instance=~"$instance"' else ''),
  local queue = system + ', queue=~"$queue"',
  local with(list, more) = if more == '' then list else list + ', ' + more,
  local systemLabels = 'cluster, job',
  local queueLabels = 'cluster, job, queue',

  // Selectors.
  ofSystem(metric, more=''):: metric + '{' + with(system, more) + '}',
  ofQueue(metric, more=''):: metric + '{' + with(queue, more) + '}',

  // The maximum over instances of each queue or system, and of what else `labels` names.
  maxOfQueue(expr, labels=''):: 'max by (' + with(queueLabels, labels) + ') (' + expr + ')',
  maxOfSystem(expr, labels=''):: 'max by (' + with(systemLabels, labels) + ') (' + expr + ')',

  // One series per queue or system.
  perQueue(metric, more='', labels=''):: queries.maxOfQueue(queries.ofQueue(metric, more), labels),
  perSystem(metric, more='', labels=''):: queries.maxOfSystem(queries.ofSystem(metric, more), labels),

  // One number for all that is selected.
  sum(expr):: 'sum(' + expr + ')',
  sumOfQueues(metric):: queries.sum(queries.perQueue(metric)),
  sumOfSystems(metric):: queries.sum(queries.perSystem(metric)),
  worstQueue(metric):: 'max(' + queries.ofQueue(metric) + ')',
  highest(metric):: 'max(' + queries.ofSystem(metric) + ')',
  lowest(metric):: 'min(' + queries.ofSystem(metric) + ')',

  // Counters.
  rate(selector):: 'rate(' + selector + '[$__rate_interval])',
  rateOfQueue(metric):: queries.maxOfQueue(queries.rate(queries.ofQueue(metric))),
  rateOfSystem(metric):: queries.maxOfSystem(queries.rate(queries.ofSystem(metric))),
  increaseOfQueue(metric, window):: queries.maxOfQueue('increase(' + queries.ofQueue(metric) + '[' + window + '])'),
  increaseOfSystem(metric, window):: queries.maxOfSystem('increase(' + queries.ofSystem(metric) + '[' + window + '])'),

  // a / b without the division by nothing that an idle queue would give.
  ratio(a, b):: a + '\n/\n(' + b + ' > 0)',

  // Of each queue: the share of attempts that failed, the tasks a second by which it grows, how long what waits will take.
  failureRatio():: queries.ratio(queries.rateOfQueue('asynq_failed_total'), queries.rateOfQueue('asynq_processed_total')),
  growth():: queries.maxOfQueue('deriv(' + queries.ofQueue('asynq_queue_size') + '[$__rate_interval])'),
  timeToDrain()::
    local pending = queries.perQueue('asynq_pending_tasks');
    queries.ratio(pending, queries.rateOfQueue('asynq_processed_total')) + '\nor\n' + pending + ' == 0',

  // Share of all attempts that failed over the time shown.
  failureRatioOfAll()::
    local all(metric) = queries.sum(queries.increaseOfQueue(metric, '$__range'));
    queries.ratio(all('asynq_failed_total'), all('asynq_processed_total')),

  // By type of task, of workers that share their timings: attempts a second, and the time that most stay below.
  rateOfTypes(metric, more=''):: queries.maxOfSystem(queries.rate(queries.ofSystem(metric, more)), 'type'),
  quantileOfTypes(share, metric)::
    'histogram_quantile(' + share + ', '
    + queries.maxOfSystem(queries.rate(queries.ofSystem(metric + '_bucket')), 'type, le') + ')',

  // Slots in use as a share of all slots.
  slotsInUse()::
    queries.ratio(queries.sumOfSystems('asynq_busy_workers'), queries.sumOfSystems('asynq_worker_concurrency')),

  // A count or sum that shows 0 where nothing matches.
  orZero(expr):: expr + ' or vector(0)',

  // 0 within the normal range, 1 above it, 2 above the warning, 3 above the critical level of the queue's own ladder.
  ladder()::
    local levels = { info: 1, warning: 2, critical: 3 };
    local metrics = { pending: 'asynq_pending_tasks', archived: 'asynq_dead_tasks' };
    local step(level, state) =
      levels[level] + ' * (' + queries.perQueue(metrics[state]) + ' > bool on (cluster, job, queue) group_right '
      + queries.perQueue('asynq_queue_threshold', 'state="' + state + '", level="' + level + '"', 'state, level') + ')';
    queries.maxOfQueue(
      '\n  ' + std.join('\n  or\n  ', [
        step(level, state)
        for state in ['pending', 'archived']
        for level in ['info', 'warning', 'critical']
      ]) + '\n'
    ),

  // 0 NORMAL, 1 WARNING, 2 CRITICAL.
  backpressure()::
    local is(state) = queries.perSystem('asynq_backpressure_state', 'state="' + state + '"', 'state');
    'max(' + is('WARNING') + ' or 2 * ' + is('CRITICAL') + ')',
  backpressureOfQueue()::
    local is(state) = queries.perQueue('asynq_queue_backpressure_state', 'state="' + state + '"', 'state');
    queries.maxOfQueue(is('WARNING') + ' or 2 * ' + is('CRITICAL')),

  // Targets; the panels number them.
  range(expr, legend):: { expr: expr, legendFormat: legend, range: true },
  instant(expr, legend=''):: { expr: expr, legendFormat: legend, instant: true, range: false },
  rows(expr):: { expr: expr, format: 'table', instant: true, range: false },
}
