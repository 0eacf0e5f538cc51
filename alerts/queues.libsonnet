// What goes wrong with one queue beyond the number of its tasks (guide 5.1, 5.3).
function(config)
  local rule = (import 'rule.libsonnet')(config);

  local latency = rule.settings('AsynqQueueLatencyHigh');
  // A queue that the catalogue promises no response time (low, dead_letter) has no limit;
  // a queue that it does not know has the limit of the others.
  local latencyLimits(severity) = [
    '%s > %s' % [
      rule.gauge('asynq_queue_latency_seconds', 'queue="%s"' % queue),
      rule.number(latency.queues[queue][severity]),
    ]
    for queue in std.objectFields(latency.queues)
    if std.objectHas(latency.queues[queue], severity)
  ] + [
    '%s > %s' % [
      rule.gauge('asynq_queue_latency_seconds', 'queue!~"%s"' % std.join('|', std.objectFields(config.queues))),
      rule.number(latency.other[severity]),
    ],
  ];

  local growing = rule.settings('AsynqQueueBacklogGrowing');
  local stalled = rule.settings('AsynqQueueStalled');

  {
    name: 'asynq-queues',
    rules: [
      rule.alert(
        'AsynqQueueLatencyHigh',
        std.join('\nor\n', latencyLimits(severity)),
        severity=severity,
        en=[
          'Tasks wait too long before a worker takes them.',
          'The oldest pending task of queue %(queue)s of %(job)s has waited for %(time)s.',
        ],
        zh=[
          '任务等待时间过长。',
          '%(job)s 的队列 %(queue)s 中最早的待处理任务已等待 %(time)s。',
        ],
      )
      for severity in ['warning', 'critical']
    ] + [
      rule.alert(
        'AsynqQueueBacklogGrowing',
        |||
          %s > %s
          and
          %s > 0
        ||| % [
          rule.gauge('asynq_pending_tasks'),
          rule.number(growing.threshold),
          rule.over('deriv', 'asynq_pending_tasks', growing.window),
        ],
        en=[
          'A backlog keeps growing.',
          'Queue %(queue)s of %(job)s has %(count)s pending tasks, and their number has kept rising for %(for)s.',
        ],
        zh=[
          '任务堆积持续增长。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个待处理任务，且数量已持续上升 %(for)s。',
        ],
      ),
      rule.alert(
        'AsynqQueueStalled',
        |||
          %s > 0
          and
          %s > 0
          and
          %s == 0
          unless
          %s == 1
        ||| % [
          rule.gauge('asynq_pending_tasks'),
          rule.gauge('asynq_queue_workers'),
          rule.over('increase', 'asynq_processed_total', stalled.window),
          rule.gauge('asynq_queue_paused'),
        ],
        en=[
          'A queue with work and workers processes nothing.',
          'Queue %(queue)s of %(job)s has %(count)s pending tasks and live workers, but processed none within %(window)s.',
        ],
        zh=[
          '队列停滞：有任务、有 Worker，却没有处理。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个待处理任务且 Worker 在线，但 %(window)s内没有处理任何任务。',
        ],
      ),
      rule.alert(
        'AsynqQueueWithoutWorkers',
        |||
          (
            %s
            + %s
            + %s
          ) > 0
          and
          %s == 0
        ||| % [
          rule.gauge('asynq_pending_tasks'),
          rule.gauge('asynq_scheduled_overdue_tasks'),
          rule.gauge('asynq_retry_overdue_tasks'),
          rule.gauge('asynq_queue_workers'),
        ],
        en=[
          'Work waits in a queue that no worker consumes.',
          '%(count)s due tasks wait in queue %(queue)s of %(job)s, and no live worker has this queue in its list.',
        ],
        zh=[
          '队列有任务，但没有 Worker 消费。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个到期任务，但没有任何存活的 Worker 订阅该队列。',
        ],
        dashboard='workers',
      ),
      rule.alert(
        'AsynqQueuePausedTooLong',
        '%s == 1' % rule.gauge('asynq_queue_paused'),
        en=[
          'A queue has been paused for long.',
          'Queue %(queue)s of %(job)s has been paused for %(for)s; nobody may remember it.',
        ],
        zh=[
          '队列暂停时间过长。',
          '%(job)s 的队列 %(queue)s 已暂停 %(for)s，可能已被遗忘。',
        ],
      ),
      rule.alert(
        'AsynqQueueMemoryHigh',
        '%s > %s' % [rule.gauge('asynq_queue_memory_bytes'), rule.threshold('AsynqQueueMemoryHigh')],
        en=[
          'A queue uses much of the memory of Redis.',
          'Queue %(queue)s of %(job)s occupies about %(bytes)s in Redis.',
        ],
        zh=[
          '队列占用 Redis 内存过多。',
          '%(job)s 的队列 %(queue)s 在 Redis 中约占用 %(bytes)s。',
        ],
        dashboard='redis',
      ),
    ],
  }
