function(config) {
  local alerts = config.alerts,

  title: { en: 'Asynq / Queue', zh: 'Asynq / 队列详情' },
  description: {
    en: 'One queue in depth: what waits and since when, how fast it is processed, what fails, and how full it is. Choose the queue at the top.',
    zh: '单个队列的详情：有多少任务在等、等了多久、处理多快、失败多少、还剩多少余量。请在顶部选择队列。',
  },
  rows: {
    headline: { en: 'Right now', zh: '当前状态' },
    backlog: { en: 'Backlog', zh: '队列堆积' },
    throughput: { en: 'Throughput', zh: '吞吐量' },
    errors: { en: 'Retry and archive', zh: '重试与死信' },
    saturation: { en: 'Saturation', zh: '容量与背压' },
    types: { en: 'Kinds of tasks', zh: '任务类型' },
  },
  panels: {
    types: {
      title: { en: 'Task types, sampled', zh: '任务类型抽样' },
      what: {
        en: 'Types of the tasks found in each state, in a small sample: which kind of task piles up, is retried or archived.',
        zh: '在各状态中少量抽样得到的任务类型：看是哪类任务在堆积、重试或成为死信。',
      },
      normal: { en: 'a mixture like that of the traffic.', zh: '与业务流量的构成相近。' },
      act: { en: 'one type alone in retry or archived: look at its handler and the service that it calls.', zh: 'retry 或 archived 中只有某一类型：检查其 Handler 及其调用的服务。' },
    },
    level: {
      title: { en: 'Level', zh: '级别' },
      what: { en: 'The highest step of its own ladder that a chosen queue has passed.', zh: '所选队列超过的最高一级自身阈值。' },
      normal: { en: 'normal.', zh: '正常范围。' },
      act: { en: 'see how long it has been so in the timeline of levels below.', zh: '在下方级别时间线查看已持续多久。' },
    },
    pending: {
      title: { en: 'Pending', zh: '待处理' },
      what: { en: 'Tasks that wait for a worker.', zh: '等待 Worker 消费的任务数。' },
      normal: { en: 'inside the range of the queue, drawn below.', zh: '处于该队列的正常范围内（见下方曲线）。' },
      act: { en: 'add workers, or find out why they are slow.', zh: '增加 Worker，或排查处理变慢的原因。' },
    },
    oldest: {
      title: { en: 'Oldest pending', zh: '最久等待' },
      what: { en: 'Age of the oldest task that waits. Empty when it cannot be known.', zh: '等待最久的任务已等待的时间；无法得知时为空。' },
      normal: { en: 'close to zero while workers have free slots.', zh: 'Worker 有空闲槽位时接近 0。' },
      act: { en: 'compare with the limits of this queue below.', zh: '与下方该队列的阈值对照。' },
    },
    throughput: {
      title: { en: 'Throughput', zh: '吞吐量' },
      what: { en: 'Attempts finished per second.', zh: '每秒完成的处理次数。' },
      normal: { en: 'about as many as arrive.', zh: '与入队速度相当。' },
      act: { en: 'zero while tasks are pending: the queue is paused or nobody consumes it.', zh: '有待处理任务而为 0：队列被暂停或无人消费。' },
    },
    ratio: {
      title: { en: 'Failure ratio', zh: '失败率' },
      what: { en: 'Failed attempts as a share of all, over the time shown.', zh: '所选时间范围内的失败占比。' },
      normal: {
        en: 'at most the %g%% that the objective allows.' % ((1 - config.slo.objective) * 100),
        zh: '不超过 SLO 目标允许的 %g%%。' % ((1 - config.slo.objective) * 100),
      },
      act: { en: 'read Last Error of its tasks in retry.', zh: '查看该队列重试任务的 Last Error。' },
    },
    retrying: {
      title: { en: 'In retry', zh: '等待重试' },
      what: { en: 'Failed tasks that wait for their next attempt.', zh: '失败后等待下次重试的任务数。' },
      normal: {
        en: 'at most %d.' % alerts.AsynqRetryHigh.threshold,
        zh: '不超过 %d。' % alerts.AsynqRetryHigh.threshold,
      },
      act: { en: 'mend the external service first, then Run All.', zh: '先恢复外部服务，再批量 Run All。' },
    },
    archived: {
      title: { en: 'Archived', zh: '死信' },
      what: { en: 'Tasks that nobody will try again unless a person does.', zh: '不会再自动重试、需人工介入的任务数。' },
      normal: { en: 'few; none in the dead letter queue.', zh: '很少；dead_letter 队列应为 0。' },
      act: { en: 'find the cause, then run or delete them.', zh: '查明原因后 Run 或 Delete。' },
    },
    full: {
      title: { en: 'Utilisation', zh: '利用率' },
      what: { en: 'Queue size as a share of the capacity, in the fullest chosen queue.', zh: '队列大小占容量的比例，取所选队列中最高者。' },
      normal: {
        en: 'below %g%%.' % (config.backpressure.warning * 100),
        zh: '低于 %g%%。' % (config.backpressure.warning * 100),
      },
      act: {
        en: 'from %g%% new tasks are refused: drain or scale out before.' % (config.backpressure.critical * 100),
        zh: '达到 %g%% 将拒绝新任务：须提前消化或扩容。' % (config.backpressure.critical * 100),
      },
    },
    states: {
      title: { en: 'Tasks by state', zh: '各状态任务数' },
      what: { en: 'All tasks of the chosen queues, piled up by state.', zh: '所选队列的全部任务，按状态堆叠。' },
      normal: { en: 'mostly completed and scheduled tasks; a thin layer of pending and active.', zh: '以 completed 与 scheduled 为主，pending 与 active 只占薄薄一层。' },
      act: { en: 'a growing layer shows where tasks get stuck: pending lacks workers, retry has errors, archived needs people.', zh: '哪一层变厚就卡在哪里：pending 缺 Worker，retry 有错误，archived 需人工处理。' },
    },
    thresholds: {
      title: { en: 'Pending against its thresholds', zh: '待处理与阈值' },
      what: { en: 'Pending tasks, with the levels of the queue as dashed lines.', zh: '待处理任务数，虚线为该队列的各级阈值。' },
      normal: { en: 'below the lowest line.', zh: '低于最低的虚线。' },
      act: { en: 'above a line for %s the alert of that level fires.' % alerts.AsynqQueueAboveThreshold['for'], zh: '超过某条虚线持续 %s 即触发该级别告警。' % alerts.AsynqQueueAboveThreshold['for'] },
    },
    latency: {
      title: { en: 'Oldest pending against its limits', zh: '最久等待与阈值' },
      what: { en: 'Age of the oldest pending task, with the limits of AsynqQueueLatencyHigh as dashed lines.', zh: '等待最久的任务的等待时间，虚线为 AsynqQueueLatencyHigh 的阈值。' },
      normal: { en: 'below the lower line. Queues without a promised response time have no line.', zh: '低于较低的虚线；无响应时限的队列没有虚线。' },
      act: { en: 'a straight climb means that nothing is taken; a plateau, that the queue is merely behind.', zh: '直线上升说明没有消费；维持在高位说明只是跟不上。' },
    },
    levels: {
      title: { en: 'Level over time', zh: '级别时间线' },
      what: { en: 'Which level of its own ladder each queue has passed, and when.', zh: '各队列在何时超过了哪一级阈值。' },
      normal: { en: 'green.', zh: '绿色。' },
      act: { en: 'look what happened when the colour changed.', zh: '查看颜色变化时发生了什么。' },
    },
    outcome: {
      title: { en: 'Succeeded and failed', zh: '成功与失败' },
      what: { en: 'Attempts per second by outcome, in the chosen queues.', zh: '所选队列每秒处理次数，按结果区分。' },
      normal: { en: 'almost all succeed.', zh: '几乎全部成功。' },
      act: { en: 'failures with steady successes point to one kind of task; failures alone, to a broken service.', zh: '成功平稳而失败增加，多为某类任务的问题；只有失败，多为外部服务故障。' },
    },
    failures: {
      title: { en: 'Failure ratio', zh: '失败率' },
      what: { en: 'Failed attempts as a share of all attempts. No line while the queue is idle.', zh: '失败次数占处理次数的比例；队列空闲时无曲线。' },
      normal: {
        en: 'below %g%%.' % (alerts.AsynqFailureRatioHigh.threshold * 100),
        zh: '低于 %g%%。' % (alerts.AsynqFailureRatioHigh.threshold * 100),
      },
      act: { en: 'read Last Error; look at the circuit breakers on the dashboard Task health.', zh: '查看 Last Error，并在“任务健康”仪表盘查看熔断器。' },
    },
    growth: {
      title: { en: 'Growth and drain', zh: '增长与消化' },
      what: { en: 'Tasks per second by which the queue grows (above zero) or drains (below zero).', zh: '队列每秒增加（正值）或减少（负值）的任务数。' },
      normal: { en: 'around zero.', zh: '在 0 附近波动。' },
      act: { en: 'above zero for long: it will not recover by itself.', zh: '长时间为正：不会自行恢复，需要干预。' },
    },
    drain: {
      title: { en: 'Time to drain', zh: '清空耗时' },
      what: { en: 'Pending tasks divided by the present processing rate; 0 when nothing waits.', zh: 'pending 数除以当前处理速率；无等待任务时为 0。' },
      normal: { en: 'seconds to minutes.', zh: '秒级到分钟级。' },
      act: { en: 'too long for the response time of the queue: add workers.', zh: '超出该队列的响应要求：增加 Worker。' },
    },
    retry: {
      title: { en: 'Retry', zh: '重试任务' },
      what: { en: 'Tasks that wait for their next attempt, and the level of AsynqRetryHigh.', zh: '等待重试的任务数，虚线为“重试过多”告警阈值。' },
      normal: {
        en: 'below %d.' % alerts.AsynqRetryHigh.threshold,
        zh: '低于 %d。' % alerts.AsynqRetryHigh.threshold,
      },
      act: { en: 'usual causes: an external API times out, the network trembles, a rate limit.', zh: '常见原因：外部 API 超时或报错、网络抖动、外部限流。' },
    },
    dead: {
      title: { en: 'Archived in the last hour', zh: '近一小时新增死信' },
      what: { en: 'Tasks archived within the last hour. Clean-ups do not hide them.', zh: '最近一小时内归档的任务数，清理死信不会掩盖它。' },
      normal: {
        en: 'at most %d.' % alerts.AsynqDeadTasksGrowing.threshold,
        zh: '不超过 %d。' % alerts.AsynqDeadTasksGrowing.threshold,
      },
      act: { en: 'stop the producer of doomed tasks, or mend what they call.', zh: '停止产生必然失败的任务，或修复其依赖的服务。' },
    },
    archive: {
      title: { en: 'Archived tasks', zh: '死信总数' },
      what: { en: 'Size of the archive of each queue.', zh: '各队列的死信数量。' },
      normal: { en: 'steady.', zh: '保持平稳。' },
      act: {
        en: 'beyond %d asynq deletes the oldest silently: run or delete them in time.' % config.archive.cap,
        zh: '超过 %d 后 asynq 会静默删除最旧的死信：请及时 Run 或清理。' % config.archive.cap,
      },
    },
    utilisation: {
      title: { en: 'Utilisation', zh: '队列利用率' },
      what: { en: 'Queue size as a share of the capacity; the lines are the levels of backpressure.', zh: '队列大小占容量的比例，虚线为背压阈值。' },
      normal: {
        en: 'below %g%%.' % (config.backpressure.warning * 100),
        zh: '低于 %g%%。' % (config.backpressure.warning * 100),
      },
      act: { en: 'drain the queue, or raise its capacity if Redis has the memory.', zh: '消化任务；若 Redis 内存充足可调高容量。' },
    },
    backpressure: {
      title: { en: 'Backpressure', zh: '背压状态' },
      what: { en: 'State of each queue over time.', zh: '各队列背压状态的变化。' },
      normal: { en: 'NORMAL.', zh: 'NORMAL。' },
      act: { en: 'in CRITICAL the producers get errors: tell their owners.', zh: 'CRITICAL 时入队会被拒绝：通知业务方。' },
    },
    paused: {
      title: { en: 'Paused', zh: '暂停状态' },
      what: { en: 'Whether the queue is paused, over time.', zh: '队列是否被暂停。' },
      normal: { en: 'running.', zh: '运行中。' },
      act: { en: 'ask who paused it and resume it.', zh: '确认是谁暂停的并恢复。' },
    },
    workers: {
      title: { en: 'Workers of this queue', zh: '消费该队列的 Worker' },
      what: { en: 'Live worker processes that have the queue in their list.', zh: '订阅该队列的存活 Worker 进程数。' },
      normal: { en: 'at least one.', zh: '至少一个。' },
      act: { en: 'none: the queue is missing in the configuration of the workers.', zh: '为 0：Worker 配置中缺少该队列。' },
    },
    memory: {
      title: { en: 'Memory in Redis', zh: 'Redis 内存占用' },
      what: { en: 'Sampled estimate of the memory that the queue takes in Redis.', zh: '队列在 Redis 中占用内存的抽样估计值。' },
      normal: { en: 'follows the number of tasks.', zh: '随任务数变化。' },
      act: { en: 'much memory for few tasks means large payloads: store references instead.', zh: '任务少而内存大说明载荷过大：改为只存引用。' },
    },
    groups: {
      title: { en: 'Aggregation', zh: '聚合任务' },
      what: { en: 'Tasks that wait in groups to be aggregated, and the number of groups.', zh: '等待聚合的任务数与分组数。' },
      normal: { en: 'zero where no aggregation is used; else waves.', zh: '未使用聚合时为 0，否则周期波动。' },
      act: { en: 'only growing: the aggregator does not run in the workers.', zh: '只增不减：Worker 未启用聚合器。' },
    },
  },
}
