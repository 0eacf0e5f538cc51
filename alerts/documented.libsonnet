// The six alerts of the operations guide (2.4, 6.3), to the letter.
function(config)
  local rule = (import 'rule.libsonnet')(config);
  {
    name: 'asynq-documented',
    rules: [
      rule.alert(
        'AsynqQueueBacklog',
        '%s > %s' % [rule.gauge('asynq_pending_tasks'), rule.threshold('AsynqQueueBacklog')],
        en=[
          'A queue has a backlog of pending tasks.',
          'Queue %(queue)s of %(job)s has %(count)s pending tasks; more than %(threshold)d for %(for)s is a backlog.',
        ],
        zh=[
          '队列堆积。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个待处理任务，超过 %(threshold)d 个已持续 %(for)s。',
        ],
      ),
      rule.alert(
        'AsynqQueueBacklogSevere',
        '%s > %s' % [rule.gauge('asynq_pending_tasks'), rule.threshold('AsynqQueueBacklogSevere')],
        en=[
          'A queue has a severe backlog of pending tasks.',
          'Queue %(queue)s of %(job)s has %(count)s pending tasks; more than %(threshold)d for %(for)s is severe.',
        ],
        zh=[
          '队列严重堆积。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个待处理任务，超过 %(threshold)d 个已持续 %(for)s。',
        ],
      ),
      rule.alert(
        'AsynqRetryHigh',
        '%s > %s' % [rule.gauge('asynq_retry_tasks'), rule.threshold('AsynqRetryHigh')],
        en=[
          'Many tasks of a queue wait for another attempt.',
          '%(count)s tasks of queue %(queue)s of %(job)s wait to be retried, more than %(threshold)d for %(for)s.',
        ],
        zh=[
          '重试过多。',
          '%(job)s 的队列 %(queue)s 有 %(count)s 个任务等待重试，超过 %(threshold)d 个已持续 %(for)s。',
        ],
      ),
      rule.alert(
        'AsynqDeadTasksGrowing',
        '%s > %s' % [rule.gauge('asynq_dead_tasks_last_hour'), rule.threshold('AsynqDeadTasksGrowing')],
        en=[
          'Tasks of a queue are being given up.',
          '%(count)s tasks of queue %(queue)s of %(job)s were archived within the last hour, more than %(threshold)d.',
        ],
        zh=[
          '死信任务增加。',
          '%(job)s 的队列 %(queue)s 最近一小时新增 %(count)s 个死信任务，超过 %(threshold)d 个。',
        ],
      ),
      rule.alert(
        'AsynqWorkersOffline',
        '%s == %s' % [
          rule.gauge('asynq_active_workers', by=[]),
          rule.threshold('AsynqWorkersOffline'),
        ],
        en=[
          'No worker is alive.',
          'Not one worker of %(job)s has sent a heartbeat for %(for)s: no task of any queue is processed.',
        ],
        zh=[
          'Worker 离线。',
          '%(job)s 已有 %(for)s没有任何存活的 Worker，所有队列都停止消费。',
        ],
        dashboard='workers',
        variables=['job'],
      ),
      rule.alert(
        'AsynqBackpressure',
        '%s == 1' % rule.gauge('asynq_backpressure_state', 'state!="NORMAL"', by=[]),
        en=[
          'Backpressure is on.',
          'The fullest queue of %(job)s holds %(warn)d %% of its capacity or more; from %(refuse)d %% on new tasks are refused.',
        ],
        zh=[
          '背压触发。',
          '%(job)s 最满的队列已达到容量的 %(warn)d%% 以上；达到 %(refuse)d%% 后将拒绝新任务入队。',
        ],
        dashboard='overview',
        variables=['job'],
        numbers={ warn: config.backpressure.warning * 100, refuse: config.backpressure.critical * 100 },
      ),
    ],
  }
