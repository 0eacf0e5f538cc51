// The documented levels of each queue (guide 1.1, 2.3, 3.3, 3.4). The exporter serves them as
// asynq_queue_threshold, so the rules hold for queues of a configuration file too and repeat no number.
function(config)
  local rule = (import 'rule.libsonnet')(config);
  {
    name: 'asynq-ladders',
    rules: [
      rule.alert(
        'AsynqQueueAboveNormal',
        '%s\n> %s' % [rule.gauge('asynq_pending_tasks'), rule.level('pending', 'info')],
        en=[
          'A queue has left its normal range.',
          'Queue %(queue)s of %(job)s has %(count)s pending tasks, above its normal range for %(for)s.',
        ],
        zh=[
          '队列超出正常范围。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个待处理任务，超出正常范围已持续 %(for)s。',
        ],
      ),
    ] + [
      rule.alert(
        'AsynqQueueAboveThreshold',
        '%s\n> %s' % [rule.gauge('asynq_pending_tasks'), rule.level('pending', severity)],
        severity=severity,
        en=[
          'A queue is above its own alert threshold.',
          'Queue %(queue)s of %(job)s has %(count)s pending tasks, above its ' + severity + ' level for %(for)s.',
        ],
        zh=[
          '队列超过自身告警阈值。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个待处理任务，超过该队列的 ' + severity + ' 阈值已持续 %(for)s。',
        ],
      )
      for severity in ['warning', 'critical']
    ] + [
      rule.alert(
        'AsynqDeadLetterTasks',
        '%s\n> %s' % [rule.gauge('asynq_dead_tasks'), rule.level('archived', severity)],
        severity=severity,
        en=[
          'Dead tasks wait for a person.',
          'Queue %(queue)s of %(job)s holds %(count)s archived tasks, above its ' + severity + ' level.',
        ],
        zh=[
          '死信任务等待人工处理。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个已归档任务，超过该队列的 ' + severity + ' 阈值。',
        ],
      )
      for severity in ['info', 'warning', 'critical']
    ],
  }
