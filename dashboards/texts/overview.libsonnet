function(config) {
  local alerts = config.alerts,

  title: { en: 'Asynq / Overview', zh: 'Asynq / 总览' },
  description: {
    en: 'Is the task queue well, and if not, which queue first? The four panels of the operations guide, the headline numbers, every queue, and the alerts that fire.',
    zh: '任务队列是否正常？若不正常，先看哪个队列？包含运维指南推荐的四个面板、关键数字、全部队列以及正在触发的告警。',
  },
  rows: {
    trends: { en: 'Trends', zh: '关键趋势' },
    headline: { en: 'Right now', zh: '当前状态' },
    queues: { en: 'Queues', zh: '队列' },
    backlog: { en: 'Backlog and alerts', zh: '堆积与告警' },
  },
  panels: {
    size: {
      title: { en: 'Queue size', zh: '队列大小趋势' },
      what: {
        en: 'Tasks in each queue: pending, active, scheduled, retry and aggregating. Archived and completed tasks are not counted.',
        zh: '各队列中的任务数：pending、active、scheduled、retry 与 aggregating 之和，不含死信（archived）和已完成任务。',
      },
      normal: {
        en: 'waves that come back down; each queue has its own level.',
        zh: '有起有落、能回落；每个队列有各自的常态水平。',
      },
      act: {
        en: 'a line that only climbs is a backlog: check the workers at the right, then raise ASYNQ_CONCURRENCY or add pods.',
        zh: '持续上升即为队列堆积：先看右侧 Worker 状态，再提高 ASYNQ_CONCURRENCY 或扩容 Pod。',
      },
    },
    rate: {
      title: { en: 'Processing rate', zh: '处理速率' },
      what: {
        en: 'Attempts finished per second in each queue, failed ones included.',
        zh: '各队列每秒完成的处理次数，包含失败的次数。',
      },
      normal: {
        en: 'follows the arrivals; heavier queues are served more often.',
        zh: '与入队速度相当；权重高的队列消费更频繁。',
      },
      act: {
        en: 'zero while tasks wait means that nobody consumes: check the workers, ASYNQ_POLLING_ENABLED and the Redis address.',
        zh: '有任务等待而速率为 0，说明无人消费：检查 Worker、ASYNQ_POLLING_ENABLED 以及 Redis 连接。',
      },
    },
    failures: {
      title: { en: 'Failure ratio', zh: '失败率' },
      what: {
        en: 'Failed attempts as a share of all attempts, per queue. No line while a queue is idle.',
        zh: '各队列失败次数占处理次数的比例；队列空闲时没有曲线。',
      },
      normal: {
        en: 'well below the dashed line at %g%%, from which AsynqFailureRatioHigh fires.' % (alerts.AsynqFailureRatioHigh.threshold * 100),
        zh: '明显低于虚线 %g%%（超过后触发 AsynqFailureRatioHigh）。' % (alerts.AsynqFailureRatioHigh.threshold * 100),
      },
      act: {
        en: 'read Last Error of a task in retry: usually an external API that times out, fails or limits the rate.',
        zh: '查看重试任务的 Last Error：常见原因是外部 API 超时、报错或限流。',
      },
    },
    workers: {
      title: { en: 'Workers', zh: 'Worker 状态' },
      what: {
        en: 'Live worker processes, and how many of their slots are in use.',
        zh: '存活的 Worker 进程数，以及其槽位的使用情况。',
      },
      normal: {
        en: 'as many workers as you run; some slots free.',
        zh: '与部署的 Worker 数量一致，且有空闲槽位。',
      },
      act: {
        en: 'no worker: restart the service and check its Redis address. All slots in use: raise ASYNQ_CONCURRENCY or add pods.',
        zh: '没有 Worker：重启服务并检查 Redis 地址。槽位用满：提高 ASYNQ_CONCURRENCY 或扩容 Pod。',
      },
    },
    health: {
      title: { en: 'System health', zh: '系统健康' },
      what: {
        en: 'Redis answers, at least one worker lives, and backpressure is not CRITICAL.',
        zh: 'Redis 可达、至少一个 Worker 存活、背压未达 CRITICAL。',
      },
      normal: { en: 'healthy.', zh: '健康。' },
      act: {
        en: 'the three stats beside it tell which of the three conditions failed.',
        zh: '旁边的几项可看出是哪个条件不满足。',
      },
    },
    redis: {
      title: { en: 'Redis', zh: 'Redis 连接' },
      what: {
        en: 'Whether the last scan of Redis succeeded. While it fails, the other panels show nothing or the past.',
        zh: '最近一次扫描 Redis 是否成功。失败期间，其他面板为空或只有历史数据。',
      },
      normal: { en: 'up.', zh: '正常。' },
      act: {
        en: 'check Redis, its address and its credentials; see the dashboard Redis and exporter.',
        zh: '检查 Redis 进程、地址与凭证，参见“Redis 与 Exporter”仪表盘。',
      },
    },
    scan: {
      title: { en: 'Last scan', zh: '最近扫描' },
      what: {
        en: 'Age of the newest successful look at Redis: how old these numbers are.',
        zh: '距最近一次成功扫描 Redis 的时间，即本页数据的新旧程度。',
      },
      normal: {
        en: 'at most two scrape intervals (%s each).' % config.scrapeInterval,
        zh: '不超过两个抓取间隔（每个 %s）。' % config.scrapeInterval,
      },
      act: {
        en: 'check that Prometheus reaches the exporter, and the exporter Redis.',
        zh: '检查 Prometheus 能否访问 Exporter，以及 Exporter 能否访问 Redis。',
      },
    },
    live: {
      title: { en: 'Live workers', zh: '存活 Worker' },
      what: { en: 'Worker processes whose heartbeat has not expired.', zh: '心跳未过期的 Worker 进程数。' },
      normal: { en: 'as many as you run.', zh: '与部署数量一致。' },
      act: {
        en: 'zero for %s fires AsynqWorkersOffline: no task is processed. Restart the service.' % alerts.AsynqWorkersOffline['for'],
        zh: '为 0 持续 %s 将触发 AsynqWorkersOffline，此时任务不再被处理，请重启服务。' % alerts.AsynqWorkersOffline['for'],
      },
    },
    backpressure: {
      title: { en: 'Backpressure', zh: '背压状态' },
      what: {
        en: 'State of the fullest queue: WARNING from %g%%, CRITICAL from %g%% of its capacity.' % [config.backpressure.warning * 100, config.backpressure.critical * 100],
        zh: '最满队列的状态：利用率达 %g%% 为 WARNING，达 %g%% 为 CRITICAL。' % [config.backpressure.warning * 100, config.backpressure.critical * 100],
      },
      normal: { en: 'NORMAL.', zh: 'NORMAL。' },
      act: {
        en: 'CRITICAL refuses new tasks: drain the fullest queue, add pods, or slow the producers.',
        zh: 'CRITICAL 会拒绝新任务入队：尽快消化最满的队列、扩容 Pod，或降低入队速度。',
      },
    },
    firing: {
      title: { en: 'Firing alerts', zh: '触发中的告警' },
      what: {
        en: 'Alerts of this system that fire now, the watchdog left out.',
        zh: '本系统当前触发中的告警数，不含看门狗。',
      },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'see the table at the bottom; each alert has a runbook.', zh: '见页面底部的告警表，每条告警都有处理手册。' },
    },
    above: {
      title: { en: 'Queues over threshold', zh: '超阈值队列' },
      what: {
        en: 'Queues above the warning level of their own ladder: pending tasks, or archived ones for the dead letter queue.',
        zh: '超过自身警告阈值的队列数：按 pending 计，死信队列按 archived 计。',
      },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'sort the table of queues by level.', zh: '在下方队列表中按级别排序查看。' },
    },
    paused: {
      title: { en: 'Paused queues', zh: '已暂停队列' },
      what: { en: 'Queues that somebody paused: tasks arrive, none is taken.', zh: '被人为暂停的队列：只入队、不消费。' },
      normal: { en: '0, except during maintenance.', zh: '0，维护期间除外。' },
      act: { en: 'resume the queue when the reason is gone.', zh: '原因消除后恢复该队列。' },
    },
    pending: {
      title: { en: 'Pending', zh: '待处理' },
      what: { en: 'Tasks that wait for a worker, in all chosen queues.', zh: '所选队列中等待消费的任务总数。' },
      normal: {
        en: 'a queue with more than %d for %s fires AsynqQueueBacklog.' % [alerts.AsynqQueueBacklog.threshold, alerts.AsynqQueueBacklog['for']],
        zh: '单个队列超过 %d 持续 %s 将触发“队列堆积”告警。' % [alerts.AsynqQueueBacklog.threshold, alerts.AsynqQueueBacklog['for']],
      },
      act: { en: 'compare the processing rate with the workers; scale out if all slots are in use.', zh: '对照处理速率与 Worker；槽位用满则扩容。' },
    },
    oldest: {
      title: { en: 'Oldest pending', zh: '最久等待' },
      what: { en: 'Age of the oldest task that waits, in the slowest queue.', zh: '最慢队列中等待最久的任务已等待的时间。' },
      normal: {
        en: 'milliseconds to seconds; %d s or more in a queue without a limit of its own is slow.' % alerts.AsynqQueueLatencyHigh.other.warning,
        zh: '毫秒到秒级；没有单独阈值的队列达到 %d s 即偏慢。' % alerts.AsynqQueueLatencyHigh.other.warning,
      },
      act: { en: 'find the queue in the table and open its dashboard.', zh: '在队列表中找到该队列并打开其仪表盘。' },
    },
    throughput: {
      title: { en: 'Throughput', zh: '吞吐量' },
      what: { en: 'Attempts finished per second in all chosen queues.', zh: '所选队列每秒完成的处理次数之和。' },
      normal: { en: 'equal to the arrivals, in the long run.', zh: '长期来看与入队速度相当。' },
      act: { en: 'zero with pending tasks: nobody consumes.', zh: '有待处理任务而为 0：无人消费。' },
    },
    ratio: {
      title: { en: 'Failure ratio', zh: '失败率' },
      what: { en: 'Failed attempts as a share of all attempts, over the time shown.', zh: '所选时间范围内失败次数占处理次数的比例。' },
      normal: {
        en: 'below %g%%; the objective allows %g%%.' % [alerts.AsynqFailureRatioHigh.threshold * 100, (1 - config.slo.objective) * 100],
        zh: '低于 %g%%；按 SLO 目标允许 %g%%。' % [alerts.AsynqFailureRatioHigh.threshold * 100, (1 - config.slo.objective) * 100],
      },
      act: { en: 'open the dashboard Task health, then read Last Error of tasks in retry.', zh: '打开“任务健康”仪表盘，再查看重试任务的 Last Error。' },
    },
    retry: {
      title: { en: 'In retry', zh: '等待重试' },
      what: { en: 'Failed tasks that wait for their next attempt, in the queue that has most of them.', zh: '失败后等待下次重试的任务数，取最多的队列。' },
      normal: {
        en: 'at most %d; more for %s fires AsynqRetryHigh.' % [alerts.AsynqRetryHigh.threshold, alerts.AsynqRetryHigh['for']],
        zh: '不超过 %d；超过并持续 %s 触发“重试过多”告警。' % [alerts.AsynqRetryHigh.threshold, alerts.AsynqRetryHigh['for']],
      },
      act: { en: 'an external service fails or limits the rate: mend that first, then Run All.', zh: '多为外部服务故障或限流：先恢复外部服务，再批量 Run All。' },
    },
    archived: {
      title: { en: 'Archived in an hour', zh: '近一小时死信' },
      what: { en: 'Tasks archived during the last hour, in the queue that has most of them: retries exhausted, or archived by hand.', zh: '最近一小时新增的死信数，取最多的队列：重试耗尽或手动归档。' },
      normal: {
        en: 'at most %d.' % alerts.AsynqDeadTasksGrowing.threshold,
        zh: '不超过 %d。' % alerts.AsynqDeadTasksGrowing.threshold,
      },
      act: { en: 'archived tasks are never tried again by themselves: find the cause, then run or delete them.', zh: '死信不会自动重试：查明原因后手动 Run 或 Delete。' },
    },
    drain: {
      title: { en: 'Time to drain', zh: '清空耗时' },
      what: { en: 'How long the pending tasks take at the present rate, if nothing new arrives.', zh: '按当前处理速率、且没有新任务入队时，消化完 pending 所需的时间。' },
      normal: { en: 'seconds to minutes.', zh: '秒级到分钟级。' },
      act: { en: 'hours: add workers, or ask whether the work is still wanted.', zh: '达到小时级：增加 Worker，或确认这些任务是否仍有必要。' },
    },
    busy: {
      title: { en: 'Slots in use', zh: '槽位使用率' },
      what: { en: 'Share of all processing slots that run a task.', zh: '正在执行任务的槽位占总槽位的比例。' },
      normal: {
        en: 'below %g%% most of the time.' % (alerts.AsynqWorkersSaturated.threshold * 100),
        zh: '大部分时间低于 %g%%。' % (alerts.AsynqWorkersSaturated.threshold * 100),
      },
      act: { en: 'saturated: raise ASYNQ_CONCURRENCY or add pods.', zh: '已饱和：提高 ASYNQ_CONCURRENCY 或扩容 Pod。' },
    },
    table: {
      title: { en: 'Queues', zh: '队列一览' },
      what: {
        en: 'One row per queue, the worst level first. The name opens the queue.',
        zh: '每个队列一行，级别高的在前；点击队列名可下钻。',
      },
      normal: {
        en: 'level normal, utilisation below %g%%, at least one worker.' % (config.backpressure.warning * 100),
        zh: '级别为“正常范围”，利用率低于 %g%%，至少一个 Worker。' % (config.backpressure.warning * 100),
      },
      act: { en: 'open the queue that is red, then read the runbook of its alert.', zh: '打开标红的队列，并查阅对应告警的处理手册。' },
    },
    growth: {
      title: { en: 'Backlog growth', zh: '堆积增速' },
      what: { en: 'How fast each queue grows (above zero) or drains (below zero), in tasks per second.', zh: '各队列每秒增加（正值）或减少（负值）的任务数。' },
      normal: { en: 'around zero.', zh: '在 0 附近波动。' },
      act: { en: 'above zero for long: more arrives than is processed. Add workers or slow the producers.', zh: '长时间为正：入队快于消费，增加 Worker 或降低入队速度。' },
    },
    draining: {
      title: { en: 'Time to drain, per queue', zh: '各队列清空耗时' },
      what: { en: 'Pending tasks divided by the present processing rate.', zh: 'pending 数除以当前处理速率。' },
      normal: { en: 'flat or falling. No line where nothing is processed.', zh: '平稳或下降；没有处理时无曲线。' },
      act: { en: 'rising: the queue falls behind. Look at its weight and at the workers that consume it.', zh: '上升说明该队列跟不上：检查其权重及消费它的 Worker。' },
    },
    alerts: {
      title: { en: 'Firing alerts', zh: '触发中的告警' },
      what: { en: 'Alerts that fire, the newest first. AsynqWatchdog always fires: it proves that the rules are evaluated.', zh: '正在触发的告警，最新的在前。AsynqWatchdog 始终触发，用来证明规则在正常评估。' },
      normal: { en: 'the watchdog alone.', zh: '只有看门狗一条。' },
      act: { en: 'follow the runbook of the alert; an empty table means that the rules are not loaded.', zh: '按告警的处理手册操作；表为空说明规则未加载。' },
    },
  },
}
