function(config) {
  local alerts = config.alerts,

  title: { en: 'Asynq / Workers and schedulers', zh: 'Asynq / Worker 与 Scheduler' },
  description: {
    en: 'Who does the work: worker processes and their slots, which queue has how many of them, tasks that run too long or lost their worker, and the schedulers of periodic tasks.',
    zh: '谁在干活：Worker 进程与槽位、各队列由多少 Worker 消费、运行过久或失去 Worker 的任务，以及定时任务的 Scheduler。',
  },
  rows: {
    headline: { en: 'Right now', zh: '当前状态' },
    fleet: { en: 'Workers', zh: 'Worker 概况' },
    queues: { en: 'Work of the queues', zh: '各队列的消费情况' },
    types: { en: 'Types of tasks, of workers that share their timings', zh: '各任务类型（需 Worker 上报耗时）' },
    schedulers: { en: 'Schedulers', zh: 'Scheduler（定时任务）' },
  },
  panels: {
    live: {
      title: { en: 'Live workers', zh: '存活 Worker' },
      what: { en: 'Worker processes whose heartbeat has not expired.', zh: '心跳未过期的 Worker 进程数。' },
      normal: { en: 'as many as you run.', zh: '与部署数量一致。' },
      act: {
        en: 'none for %s is AsynqWorkersOffline: restart the service, check its Redis address.' % alerts.AsynqWorkersOffline['for'],
        zh: '为 0 持续 %s 即“Worker 离线”：重启服务并检查 Redis 地址。' % alerts.AsynqWorkersOffline['for'],
      },
    },
    slots: {
      title: { en: 'Slots in all', zh: '槽位总数' },
      what: { en: 'Tasks that all workers together can run at once: the sum of their concurrency.', zh: '全部 Worker 可同时执行的任务数，即并发数之和。' },
      normal: { en: 'workers times ASYNQ_CONCURRENCY.', zh: 'Worker 数 × ASYNQ_CONCURRENCY。' },
      act: { en: 'too few: raise ASYNQ_CONCURRENCY or add pods.', zh: '不足：提高 ASYNQ_CONCURRENCY 或扩容 Pod。' },
    },
    busy: {
      title: { en: 'Slots in use', zh: '槽位使用率' },
      what: { en: 'Share of the slots that run a task.', zh: '正在执行任务的槽位比例。' },
      normal: {
        en: 'below %g%% most of the time.' % (alerts.AsynqWorkersSaturated.threshold * 100),
        zh: '大部分时间低于 %g%%。' % (alerts.AsynqWorkersSaturated.threshold * 100),
      },
      act: { en: 'saturated with tasks waiting: scale out, or make the tasks faster.', zh: '饱和且有任务等待：扩容，或优化任务耗时。' },
    },
    longest: {
      title: { en: 'Longest task', zh: '最长任务' },
      what: { en: 'How long the longest-running task has been active.', zh: '运行最久的任务已执行的时间。' },
      normal: {
        en: 'below %d s, or what your longest kind of task needs.' % alerts.AsynqTaskRunningTooLong.threshold,
        zh: '低于 %d s，或符合业务中最长任务的耗时。' % alerts.AsynqTaskRunningTooLong.threshold,
      },
      act: { en: 'look at Started At of active tasks: a slow external API, or no timeout.', zh: '查看 active 任务的 Started At：多为外部 API 变慢或未设超时。' },
    },
    orphans: {
      title: { en: 'Orphaned tasks', zh: '孤儿任务' },
      what: { en: 'Tasks that are marked active, but no worker runs them.', zh: '状态为 active 但没有 Worker 执行的任务数。' },
      normal: { en: '0; a few for a minute after a crash.', zh: '0；Worker 崩溃后一分钟内可能短暂出现。' },
      act: { en: 'the recoverer of a live worker brings them back; without any worker, start one.', zh: '存活 Worker 的恢复机制会取回；没有 Worker 时请先启动。' },
    },
    schedulers: {
      title: { en: 'Live schedulers', zh: '存活 Scheduler' },
      what: { en: 'Processes that enqueue periodic tasks.', zh: '负责定时入队的进程数。' },
      normal: { en: 'at least one where periodic tasks are used.', zh: '使用定时任务时至少一个。' },
      act: { en: 'none: periodic tasks are no longer enqueued; restart the scheduler.', zh: '为 0：定时任务不再入队，请重启 Scheduler。' },
    },
    entries: {
      title: { en: 'Periodic entries', zh: '定时条目' },
      what: { en: 'Entries that the live schedulers have registered.', zh: '存活 Scheduler 注册的定时条目数。' },
      normal: { en: 'constant between releases.', zh: '两次发布之间保持不变。' },
      act: { en: 'twice the usual number: two schedulers enqueue the same tasks.', zh: '翻倍：有两个 Scheduler 在重复入队。' },
    },
    overdue: {
      title: { en: 'Overdue entries', zh: '逾期条目' },
      what: { en: 'Entries whose next run has already passed.', zh: '下次执行时间已过的条目数。' },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'the scheduler hangs or cannot reach Redis.', zh: 'Scheduler 卡住或无法访问 Redis。' },
    },
    status: {
      title: { en: 'Workers by status', zh: 'Worker 状态分布' },
      what: { en: 'Live worker processes by the status that they report.', zh: '存活 Worker 进程按其上报状态统计。' },
      normal: { en: 'all active; stopped or closed only during a roll-out.', zh: '全部为 active；仅发布期间出现 stopped 或 closed。' },
      act: { en: 'a worker that stays stopped takes no new task: let it finish, then restart it.', zh: '长期处于 stopped 的 Worker 不取新任务：等其完成后重启。' },
    },
    usage: {
      title: { en: 'Slots', zh: '槽位使用情况' },
      what: { en: 'Processing slots in all, and those in use.', zh: '槽位总数与使用中的槽位。' },
      normal: { en: 'a gap between the lines.', zh: '两条线之间留有余量。' },
      act: { en: 'lines that touch: no headroom for a peak.', zh: '两线重合：没有应对高峰的余量。' },
    },
    utilisation: {
      title: { en: 'Slots in use', zh: '槽位使用率' },
      what: { en: 'Slots in use as a share of all slots; the line is the level of AsynqWorkersSaturated.', zh: '使用中的槽位占比，虚线为 AsynqWorkersSaturated 阈值。' },
      normal: { en: 'below the line.', zh: '低于虚线。' },
      act: {
        en: 'above it for %s with tasks waiting the alert fires: scale out.' % alerts.AsynqWorkersSaturated['for'],
        zh: '超过虚线持续 %s 且有任务等待即告警：扩容。' % alerts.AsynqWorkersSaturated['for'],
      },
    },
    changes: {
      title: { en: 'Joins, leaves and restarts', zh: 'Worker 变动' },
      what: { en: 'How often the number of live workers changed. A restart is a leave and a join; one that happens between two scrapes is not seen.', zh: '存活 Worker 数发生变化的次数。一次重启等于一次离开加一次加入；两次抓取之间完成的重启无法看到。' },
      normal: { en: 'flat, with steps at releases.', zh: '平稳，仅发布时有变化。' },
      act: { en: 'steady changes: workers crash in a loop; read their logs.', zh: '持续变动：Worker 反复崩溃，请查看日志。' },
    },
    perQueue: {
      title: { en: 'Workers per queue', zh: '各队列的 Worker 数' },
      what: { en: 'Live workers that consume each queue.', zh: '消费各队列的存活 Worker 数。' },
      normal: { en: 'at least one for every queue with work.', zh: '有任务的队列至少有一个。' },
      act: { en: 'none: add the queue to the configuration of the workers.', zh: '为 0：在 Worker 配置中加入该队列。' },
    },
    active: {
      title: { en: 'Active tasks', zh: '处理中任务' },
      what: { en: 'Tasks that workers run, per queue.', zh: '各队列正在执行的任务数。' },
      normal: { en: 'in proportion to weight and traffic.', zh: '与权重和流量成比例。' },
      act: { en: 'always zero with pending tasks: workers do not consume; ASYNQ_POLLING_ENABLED must be true.', zh: '有待处理任务却始终为 0：Worker 未消费，确认 ASYNQ_POLLING_ENABLED=true。' },
    },
    running: {
      title: { en: 'Longest task, per queue', zh: '各队列最长任务' },
      what: { en: 'How long the longest-running task of each queue has been active; the line is the level of AsynqTaskRunningTooLong.', zh: '各队列运行最久的任务已执行的时间，虚线为 AsynqTaskRunningTooLong 阈值。' },
      normal: { en: 'saw teeth far below the line.', zh: '锯齿状，远低于虚线。' },
      act: { en: 'a straight climb is one task that hangs: cancel it.', zh: '直线上升说明某个任务卡住：取消该任务。' },
    },
    lost: {
      title: { en: 'Orphaned tasks by reason', zh: '孤儿任务（按原因）' },
      what: { en: 'lease_expired: the worker stopped renewing its lease. no_lease: active without any lease.', zh: 'lease_expired：Worker 未续约；no_lease：active 但没有租约。' },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'lease_expired recovers by itself while a worker lives; no_lease needs a person: requeue the task.', zh: 'lease_expired 在有 Worker 存活时会自动恢复；no_lease 需人工重新入队。' },
    },
    shares: {
      title: { en: 'Weights and what they give', zh: '权重与实际消费占比' },
      what: { en: 'Weight of each queue, its workers, its active tasks, and its share of all attempts.', zh: '各队列的权重、Worker 数、处理中任务数及其占全部处理量的比例。' },
      normal: { en: 'under load the shares follow the weights.', zh: '高负载时占比与权重一致。' },
      act: { en: 'a backlog with a small share: raise the weight, or give the queue workers of its own.', zh: '堆积而占比小：提高权重，或为该队列配置专属 Worker。' },
    },
    durations: {
      title: { en: 'Duration, 95 of 100', zh: '执行耗时 P95' },
      what: { en: 'The time below which 95 of 100 attempts end, by type of task.', zh: '各任务类型 95% 的执行在此时间内结束。' },
      normal: { en: 'flat, far below the timeout of the task.', zh: '平稳，远低于任务超时。' },
      act: { en: 'a rise in one type: what that task calls is slow. Empty: no worker shares its timings (docs/worker.md).', zh: '某类型升高：其调用的外部服务变慢。无数据：没有 Worker 上报耗时（docs/worker.md）。' },
    },
    waits: {
      title: { en: 'Wait, 95 of 100', zh: '等待耗时 P95' },
      what: { en: 'The time below which 95 of 100 tasks wait from ready to taken, by type.', zh: '各任务类型 95% 的任务从就绪到被取走的等待时间。' },
      normal: { en: 'what the queue promises: milliseconds for critical, seconds for high and default.', zh: '符合队列要求：critical 毫秒级，high、default 秒级。' },
      act: { en: 'a rise without longer durations: too few slots; raise ASYNQ_CONCURRENCY or add pods.', zh: '等待升高而耗时不变：槽位不足，提高 ASYNQ_CONCURRENCY 或扩容 Pod。' },
    },
    failing: {
      title: { en: 'Failed attempts', zh: '失败率（按类型）' },
      what: { en: 'Share of the attempts that failed, by type of task.', zh: '各任务类型执行失败的比例。' },
      normal: { en: 'near 0.', zh: '接近 0。' },
      act: { en: 'one type fails: read Last Error of its retries; all types fail: look at what they share.', zh: '单个类型失败：查看其重试任务的 Last Error；全部失败：检查公共依赖。' },
    },
    scheduling: {
      title: { en: 'Schedulers and entries', zh: 'Scheduler 与定时条目' },
      what: { en: 'Live schedulers and the entries that they have registered.', zh: '存活的 Scheduler 及其注册的定时条目数。' },
      normal: { en: 'flat.', zh: '平稳。' },
      act: { en: 'a drop: a scheduler is gone, its periodic tasks too.', zh: '下降：有 Scheduler 消失，其定时任务停止入队。' },
    },
    late: {
      title: { en: 'Overdue entries', zh: '逾期定时条目' },
      what: { en: 'Entries whose next run has passed without being enqueued.', zh: '到点未入队的定时条目数。' },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'restart the scheduler; check the clocks of the hosts.', zh: '重启 Scheduler，并检查主机时钟。' },
    },
  },
}
