// Tasks that are stuck on their way (guide 5.2, 5.4).
function(config)
  local rule = (import 'rule.libsonnet')(config);
  local aboveThreshold(name, metric, by=['queue']) =
    '%s > %s' % [rule.gauge(metric, by=by), rule.threshold(name)];
  {
    name: 'asynq-tasks',
    rules: [
      rule.alert(
        'AsynqTasksOrphaned',
        aboveThreshold('AsynqTasksOrphaned', 'asynq_orphaned_tasks', by=['queue', 'reason']),
        en=[
          'Tasks are marked active, but no worker runs them.',
          '%(count)s active tasks of queue %(queue)s of %(job)s have no worker ({{ $labels.reason }}).',
        ],
        zh=[
          '存在孤儿任务：状态为 active 但没有 Worker 执行。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个 active 任务没有 Worker 执行（{{ $labels.reason }}）。',
        ],
        dashboard='health',
      ),
      rule.alert(
        'AsynqForwarderStalled',
        aboveThreshold('AsynqForwarderStalled', 'asynq_forwarding_delay_seconds'),
        en=[
          'Due tasks are not moved to pending.',
          'A scheduled or retry task of queue %(queue)s of %(job)s has been due for %(time)s and was not moved to pending.',
        ],
        zh=[
          '到期任务没有转入待处理。',
          '%(job)s 的队列 %(queue)s 有 scheduled 或 retry 任务已到期 %(time)s，仍未转入 pending。',
        ],
        dashboard='health',
      ),
      rule.alert(
        'AsynqTaskRunningTooLong',
        aboveThreshold('AsynqTaskRunningTooLong', 'asynq_oldest_active_task_seconds'),
        en=[
          'A task has been running for very long.',
          'The longest-running task of queue %(queue)s of %(job)s has been active for %(time)s.',
        ],
        zh=[
          '任务运行时间过长。',
          '%(job)s 的队列 %(queue)s 中运行最久的任务已执行 %(time)s。',
        ],
        dashboard='workers',
      ),
      rule.alert(
        'AsynqArchiveNearCap',
        '%s > %s * %s' % [
          rule.gauge('asynq_dead_tasks'),
          rule.number(rule.settings('AsynqArchiveNearCap').ratio),
          rule.number(config.archive.cap),
        ],
        en=[
          'The archive of a queue is almost full.',
          'Queue %(queue)s of %(job)s holds %(count)s archived tasks; beyond %(cap)d asynq deletes the oldest silently.',
        ],
        zh=[
          '死信归档即将写满。',
          '%(job)s 的队列 %(queue)s 已归档 %(count)s 个任务；超过 %(cap)d 后，asynq 会悄悄删除最早的任务。',
        ],
        dashboard='health',
        numbers={ cap: config.archive.cap },
      ),
      rule.alert(
        'AsynqCircuitBreakerOpen',
        // An open breaker probes every 30 s, so it changes between OPEN and HALF_OPEN until it recovers.
        '%s == 1' % rule.gauge(
          'asynq_circuit_breaker_state',
          'state!="CLOSED"',
          by=['scope', 'name'],
        ),
        en=[
          'A circuit breaker refuses requests.',
          'Circuit breaker {{ $labels.name }} ({{ $labels.scope }}) of %(job)s has not been closed for %(for)s.',
        ],
        zh=[
          '熔断器处于熔断状态。',
          '%(job)s 的熔断器 {{ $labels.name }}（{{ $labels.scope }}）已有 %(for)s未恢复为 CLOSED。',
        ],
        dashboard='health',
        variables=['job'],
      ),
    ],
  }
