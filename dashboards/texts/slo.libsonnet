function(config) {
  local objective = config.slo.objective * 100,
  local allowed = (1 - config.slo.objective) * 100,

  title: { en: 'Asynq / SLO', zh: 'Asynq / SLO' },
  description: {
    en: 'How many attempts succeed, how much of the error budget is left, and how fast it burns. The ratios come from the recording rules of this bundle: load them into Prometheus.',
    zh: '任务成功率、剩余错误预算及其消耗速度。数据来自本套件的记录规则，请先加载到 Prometheus。',
  },
  rows: {
    headline: { en: 'Objective: %g%% of attempts succeed' % objective, zh: '目标：%g%% 的处理成功' % objective },
    ratio: { en: 'Success', zh: '成功率' },
    burn: { en: 'Burn rates', zh: '错误预算消耗速率' },
  },
  panels: {
    success: {
      title: { en: 'Success ratio, worst queue', zh: '成功率（最差队列）' },
      what: { en: 'Share of attempts that succeeded over the longest window, in the worst queue.', zh: '最长窗口内处理成功的比例，取最差的队列。' },
      normal: { en: 'at least %g%%.' % objective, zh: '不低于 %g%%。' % objective },
      act: { en: 'the table below names the queue.', zh: '在下方表格中找到该队列。' },
    },
    budget: {
      title: { en: 'Error budget left', zh: '剩余错误预算' },
      what: {
        en: 'What is left of the failures that the objective allows over the longest window (%g%% of attempts), in the worst queue.' % allowed,
        zh: '最长窗口内，目标所允许的失败（占处理次数 %g%%）还剩多少，取最差的队列。' % allowed,
      },
      normal: { en: 'above 0%.', zh: '大于 0%。' },
      act: { en: 'spent: stop risky releases until the ratio has recovered.', zh: '已耗尽：恢复之前暂停有风险的发布。' },
    },
    ratio: {
      title: { en: 'Success ratio', zh: '成功率趋势' },
      what: { en: 'Share of attempts that succeeded, per queue, over the shortest and the longest of the long windows. The dashed line is the objective.', zh: '各队列处理成功的比例（最短与最长的长窗口），虚线为目标。' },
      normal: { en: 'above the line.', zh: '高于虚线。' },
      act: { en: 'short dips cost little; a long one below the line spends the budget.', zh: '短暂下探影响不大，长期低于虚线会耗尽预算。' },
    },
    left: {
      title: { en: 'Error budget left, per queue', zh: '各队列剩余错误预算' },
      what: { en: 'Budget of the longest window that is left to each queue; below zero the objective is missed.', zh: '各队列在最长窗口内的剩余预算，低于 0 即未达标。' },
      normal: { en: 'flat or rising.', zh: '平稳或上升。' },
      act: { en: 'a steep fall: see which burn rate is high, and since when.', zh: '陡降：查看哪个消耗速率偏高、从何时开始。' },
    },
    volume: {
      title: { en: 'Failed attempts', zh: '失败次数' },
      what: { en: 'Failed attempts per second of each queue: what the budget is spent on.', zh: '各队列每秒失败次数，即预算的去向。' },
      normal: { en: 'single failures.', zh: '零星失败。' },
      act: { en: 'open the queue that fails most, read Last Error.', zh: '打开失败最多的队列，查看 Last Error。' },
    },
    table: {
      title: { en: 'Queues', zh: '队列一览' },
      what: { en: 'Success, budget and burn rates of each queue that processed something, the worst first.', zh: '各队列（有处理记录）的成功率、预算与消耗速率，最差的在前。' },
      normal: { en: 'burn rates below 1: the budget lasts.', zh: '消耗速率低于 1：预算够用。' },
      act: { en: 'a rate of 1 spends exactly the budget of the window; act on the highest.', zh: '速率为 1 恰好在窗口内用完预算；优先处理最高者。' },
    },
  },
  // One panel for each row of _config.slo.burn.
  burnStat(row): {
    title: { en: 'Burn rate, %s' % row.long, zh: '消耗速率（%s）' % row.long },
    what: { en: 'How many times faster than allowed the budget burnt over %s, in the worst queue.' % row.long, zh: '%s 内预算消耗速度是允许速度的多少倍，取最差的队列。' % row.long },
    normal: { en: 'below 1.', zh: '低于 1。' },
    act: {
      en: 'above %g AsynqErrorBudgetBurn (%s) fires if it still burns.' % [row.factor, row.severity],
      zh: '超过 %g 且仍在消耗时触发 AsynqErrorBudgetBurn（%s）。' % [row.factor, row.severity],
    },
  },
  burnPanel(row): {
    title: { en: 'Burn rate over %s and %s' % [row.long, row.short], zh: '消耗速率（%s 与 %s）' % [row.long, row.short] },
    what: {
      en: 'The worst queue over the long window, which shows weight, and the short one, which shows that it goes on. The dashed line is the level of the alert.',
      zh: '最差队列的长窗口（反映严重程度）与短窗口（反映是否仍在持续），虚线为告警阈值。',
    },
    normal: { en: 'below 1.', zh: '低于 1。' },
    act: {
      en: 'both above %g for %s: AsynqErrorBudgetBurn, %s.' % [row.factor, row['for'], row.severity],
      zh: '两者同时超过 %g 并持续 %s：触发 AsynqErrorBudgetBurn（%s）。' % [row.factor, row['for'], row.severity],
    },
  },
}
