function(config) {
  local alerts = config.alerts,

  title: { en: 'Asynq / Task health', zh: 'Asynq / 任务健康' },
  description: {
    en: 'Tasks that went wrong or got stuck: retries, the archive, due tasks that nobody moves, orphans, and the circuit breakers in front of external services.',
    zh: '出错或卡住的任务：重试、死信、到期未转移的任务、孤儿任务，以及外部服务前的熔断器。',
  },
  rows: {
    headline: { en: 'Right now', zh: '当前状态' },
    retry: { en: 'Retry and forwarding', zh: '重试与到期转移' },
    archive: { en: 'Archive', zh: '死信队列' },
    stuck: { en: 'Orphans, checks and breakers', zh: '孤儿任务、健康检查与熔断' },
  },
  panels: {
    retrying: {
      title: { en: 'In retry', zh: '等待重试' },
      what: { en: 'Failed tasks that wait for their next attempt, in the queue that has most of them.', zh: '失败后等待下次重试的任务数，取最多的队列。' },
      normal: {
        en: 'at most %d.' % alerts.AsynqRetryHigh.threshold,
        zh: '不超过 %d。' % alerts.AsynqRetryHigh.threshold,
      },
      act: { en: 'read Last Error, mend the external service, then Run All.', zh: '查看 Last Error，恢复外部服务后批量 Run All。' },
    },
    archived: {
      title: { en: 'Archived', zh: '死信总数' },
      what: { en: 'Archived tasks of all chosen queues.', zh: '所选队列的死信总数。' },
      normal: { en: 'few and steady.', zh: '数量少且平稳。' },
      act: { en: 'clean up after the cause is mended: Run what is wanted, delete the rest.', zh: '修复原因后清理：需要的 Run，其余 Delete。' },
    },
    recent: {
      title: { en: 'Archived in an hour', zh: '近一小时死信' },
      what: { en: 'Tasks archived within the last hour, in the queue that has most of them.', zh: '最近一小时新增的死信数，取最多的队列。' },
      normal: {
        en: 'at most %d.' % alerts.AsynqDeadTasksGrowing.threshold,
        zh: '不超过 %d。' % alerts.AsynqDeadTasksGrowing.threshold,
      },
      act: { en: 'retries run out: the failure lasts longer than the retry policy.', zh: '重试耗尽：故障时间已超过重试策略。' },
    },
    due: {
      title: { en: 'Due, not moved', zh: '到期未转移' },
      what: { en: 'Scheduled and retry tasks that are due, but still not pending.', zh: '已到执行时间但仍未转入 pending 的延迟与重试任务数。' },
      normal: { en: 'near 0: workers move them every few seconds.', zh: '接近 0：Worker 每隔数秒转移一次。' },
      act: { en: 'no live worker consumes the queue, or its forwarder hangs.', zh: '没有存活 Worker 消费该队列，或其转移协程卡住。' },
    },
    delay: {
      title: { en: 'Forwarding delay', zh: '转移延迟' },
      what: { en: 'How long the most overdue task has been due.', zh: '逾期最久的任务已逾期的时间。' },
      normal: {
        en: 'below %d s.' % alerts.AsynqForwarderStalled.threshold,
        zh: '低于 %d s。' % alerts.AsynqForwarderStalled.threshold,
      },
      act: { en: 'restart the workers; check that their list contains the queue.', zh: '重启 Worker，并确认其订阅了该队列。' },
    },
    orphans: {
      title: { en: 'Orphaned tasks', zh: '孤儿任务' },
      what: { en: 'Tasks marked active that no worker runs.', zh: '状态为 active 但没有 Worker 执行的任务数。' },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'see by reason below.', zh: '在下方按原因查看。' },
    },
    fill: {
      title: { en: 'Fullest archive', zh: '死信归档占用' },
      what: {
        en: 'Archived tasks as a share of the %d that asynq keeps per queue.' % config.archive.cap,
        zh: '死信数占 asynq 单队列上限 %d 的比例。' % config.archive.cap,
      },
      normal: {
        en: 'below %g%%.' % (alerts.AsynqArchiveNearCap.ratio * 100),
        zh: '低于 %g%%。' % (alerts.AsynqArchiveNearCap.ratio * 100),
      },
      act: { en: 'at 100% the oldest are deleted without a word: export or run them now.', zh: '达到 100% 后最旧的死信会被静默删除：请立即导出或 Run。' },
    },
    breakers: {
      title: { en: 'Open breakers', zh: '熔断中的熔断器' },
      what: { en: 'Circuit breakers that are not CLOSED.', zh: '未处于 CLOSED 状态的熔断器数。' },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'the service behind it fails: look at its own monitoring.', zh: '其后的服务出现故障：查看该服务自身的监控。' },
    },
    retry: {
      title: { en: 'Retry', zh: '重试任务' },
      what: { en: 'Tasks in retry per queue; the line is the level of AsynqRetryHigh.', zh: '各队列等待重试的任务数，虚线为“重试过多”告警阈值。' },
      normal: { en: 'below the line.', zh: '低于虚线。' },
      act: {
        en: 'above it for %s the alert fires. All queues at once: the network or a shared service.' % alerts.AsynqRetryHigh['for'],
        zh: '超过并持续 %s 触发告警。所有队列同时上升：网络或公共服务的问题。' % alerts.AsynqRetryHigh['for'],
      },
    },
    overdue: {
      title: { en: 'Due tasks that nobody moved', zh: '到期未转移的任务' },
      what: { en: 'Overdue tasks in scheduled and retry, per queue.', zh: '各队列 scheduled 与 retry 中已到期的任务数。' },
      normal: { en: 'short spikes.', zh: '只有短暂尖峰。' },
      act: { en: 'a plateau or climb: forwarding has stopped.', zh: '持续高位或上升：转移已停止。' },
    },
    forwarding: {
      title: { en: 'Forwarding delay', zh: '转移延迟' },
      what: { en: 'Age of the most overdue task of each queue; the line is the level of AsynqForwarderStalled.', zh: '各队列逾期最久任务的逾期时间，虚线为 AsynqForwarderStalled 阈值。' },
      normal: { en: 'a few seconds.', zh: '数秒以内。' },
      act: { en: 'one queue: its workers. All queues: Redis, or every worker is down.', zh: '单个队列：检查其 Worker；全部队列：检查 Redis 或 Worker 是否全部离线。' },
    },
    dead: {
      title: { en: 'Archived tasks', zh: '死信任务' },
      what: { en: 'Size of the archive of each queue, with the levels of the dead letter queue as dashed lines.', zh: '各队列死信数，虚线为死信队列的各级阈值。' },
      normal: { en: 'steady, below the lines.', zh: '平稳且低于虚线。' },
      act: { en: 'clean up regularly: Archived, then Delete All after a look.', zh: '定期清理：查看 Archived 列表，确认后 Delete All。' },
    },
    hourly: {
      title: { en: 'Archived in the last hour', zh: '近一小时新增死信' },
      what: { en: 'Tasks archived within the last hour, per queue. Neither the cap nor a clean-up hides them.', zh: '各队列最近一小时归档的任务数，不受上限与清理影响。' },
      normal: {
        en: 'at most %d, the dashed line.' % alerts.AsynqDeadTasksGrowing.threshold,
        zh: '不超过虚线 %d。' % alerts.AsynqDeadTasksGrowing.threshold,
      },
      act: { en: 'find what they have in common: type, time, error.', zh: '寻找共性：任务类型、时间、错误信息。' },
    },
    oldest: {
      title: { en: 'Oldest archived task', zh: '最旧死信' },
      what: { en: 'How long the oldest archived task of each queue has been there.', zh: '各队列最旧死信的存放时间。' },
      normal: { en: 'as long as your clean-up allows; asynq deletes after 90 days.', zh: '不超过清理周期；asynq 在 90 天后自动删除。' },
      act: { en: 'nobody looks at the archive: appoint someone.', zh: '长期无人处理：请指定负责人。' },
    },
    caps: {
      title: { en: 'Archive against its cap', zh: '死信归档占用率' },
      what: {
        en: 'Archived tasks of each queue as a share of the cap of %d.' % config.archive.cap,
        zh: '各队列死信数占上限 %d 的比例。' % config.archive.cap,
      },
      normal: { en: 'near 0%.', zh: '接近 0%。' },
      act: { en: 'red: tasks are about to be lost silently.', zh: '变红：即将静默丢失任务。' },
    },
    lost: {
      title: { en: 'Orphaned tasks by reason', zh: '孤儿任务（按原因）' },
      what: { en: 'lease_expired: the worker stopped renewing its lease. no_lease: active without any lease.', zh: 'lease_expired：Worker 未续约；no_lease：active 但没有租约。' },
      normal: { en: '0.', zh: '0。' },
      act: { en: 'no_lease is never recovered by asynq itself: requeue the task by hand.', zh: 'no_lease 不会被 asynq 自动恢复：需人工重新入队。' },
    },
    checks: {
      title: { en: 'Health checks', zh: '健康检查' },
      what: { en: 'The parts of system health: redis, workers, backpressure.', zh: '系统健康的三项检查：redis、workers、backpressure。' },
      normal: { en: 'all healthy.', zh: '全部健康。' },
      act: { en: 'the red one names the part to look at.', zh: '标红的一项即为排查方向。' },
    },
    circuits: {
      title: { en: 'Circuit breakers', zh: '熔断器状态' },
      what: { en: 'State of each breaker, by scope (service or platform).', zh: '各熔断器的状态，作用域为 service（服务）或 platform（平台）。' },
      normal: { en: 'CLOSED.', zh: 'CLOSED。' },
      act: { en: 'OPEN refuses all requests for half a minute, HALF_OPEN lets a few probe; it closes by itself when they succeed.', zh: 'OPEN 拒绝所有请求约半分钟，HALF_OPEN 放行少量探测请求，成功后自动恢复。' },
    },
  },
}
