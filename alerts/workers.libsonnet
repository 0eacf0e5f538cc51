// Workers and schedulers as a whole: identities change at every restart, so no label names one.
function(config)
  local rule = (import 'rule.libsonnet')(config);
  local gone = rule.settings('AsynqSchedulersGone');
  {
    name: 'asynq-workers',
    rules: [
      rule.alert(
        'AsynqWorkersSaturated',
        |||
          %s
          / (%s > 0)
          >= %s
          and
          %s > 0
        ||| % [
          rule.gauge('asynq_busy_workers', by=[]),
          rule.gauge('asynq_worker_concurrency', by=[]),
          rule.threshold('AsynqWorkersSaturated'),
          rule.gauge('asynq_pending_tasks', by=[]),
        ],
        en=[
          'Workers are saturated while tasks wait.',
          '%(share)s of all processing slots of %(job)s are in use, and tasks wait for one.',
        ],
        zh=[
          'Worker 处理能力已饱和。',
          '%(job)s 的处理槽位已使用 %(share)s，仍有任务在等待。',
        ],
        dashboard='workers',
        variables=['job'],
      ),
      rule.alert(
        'AsynqSchedulerEntryOverdue',
        '%s > %s' % [
          rule.gauge('asynq_scheduler_overdue_entries', by=[]),
          rule.threshold('AsynqSchedulerEntryOverdue'),
        ],
        en=[
          'A periodic task was not enqueued in time.',
          'The next run of %(count)s scheduler entries of %(job)s lies in the past.',
        ],
        zh=[
          '定时任务未按时入队。',
          '%(job)s 有 %(count)s 个定时任务条目的下次执行时间已过，仍未入队。',
        ],
        dashboard='workers',
        variables=['job'],
      ),
      rule.alert(
        'AsynqSchedulersGone',
        |||
          %s == 0
          and
          %s > 0
        ||| % [
          rule.gauge('asynq_schedulers', by=[]),
          rule.over('max_over_time', 'asynq_schedulers', gone.window, by=[]),
        ],
        en=[
          'All schedulers are gone.',
          'No scheduler of %(job)s is alive, but there was one within the last %(window)s: periodic tasks are not enqueued.',
        ],
        zh=[
          '调度器全部离线。',
          '%(job)s 没有存活的调度器，而过去 %(window)s内曾经有过：定时任务不再入队。',
        ],
        dashboard='workers',
        variables=['job'],
      ),
    ],
  }
