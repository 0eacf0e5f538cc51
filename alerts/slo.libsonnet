// Failures as a share of what is processed. The ratios are recording rules, see rules.libsonnet.
function(config)
  local rule = (import 'rule.libsonnet')(config);
  local rules = (import 'rules.libsonnet')(config);
  local failing = rule.settings('AsynqFailureRatioHigh');
  local burning = rule.settings('AsynqErrorBudgetBurn');

  // So few tasks that a single failure would look like a disaster prove nothing.
  local enough(window, minimum) =
    '%s > %s' % [rule.over('increase', 'asynq_processed_total', window), rule.number(minimum)];
  local ratio(window) =
    '%s{%s}' % [rules.failureRatio(window), config.asynqSelector];

  {
    name: 'asynq-slo',
    rules: [
      rule.alert(
        'AsynqFailureRatioHigh',
        |||
          %s > %s
          and
          %s
        ||| % [ratio('5m'), rule.number(failing.threshold), enough(failing.window, failing.minimum)],
        en=[
          'Many attempts of a queue fail.',
          '%(share)s of the attempts of queue %(queue)s of %(job)s failed within 5 minutes.',
        ],
        zh=[
          '任务失败率过高。',
          '%(job)s 的队列 %(queue)s 在 5 分钟内的失败率为 %(share)s。',
        ],
        dashboard='slo',
      ),
    ] + [
      rule.alert(
        'AsynqErrorBudgetBurn',
        |||
          %s > %s * (1 - %s)
          and
          %s > %s * (1 - %s)
          and
          %s
        ||| % [
          ratio(row.long),
          rule.number(row.factor),
          rule.number(config.slo.objective),
          ratio(row.short),
          rule.number(row.factor),
          rule.number(config.slo.objective),
          enough(row.long, burning.minimum),
        ],
        severity=row.severity,
        duration=row['for'],
        labels={ long: row.long, short: row.short },
        numbers={ long: row.long, short: row.short, factor: row.factor, objective: config.slo.objective * 100 },
        en=[
          'The error budget of a queue is being used up.',
          '%(share)s of the attempts of queue %(queue)s of %(job)s failed over %(long)s: more than %(factor)g times what an objective of %(objective)g %% allows.',
        ],
        zh=[
          '错误预算消耗过快。',
          '%(job)s 的队列 %(queue)s 在 %(long)s 内失败率为 %(share)s，超过 %(objective)g%% 目标所允许速度的 %(factor)g 倍。',
        ],
        dashboard='slo',
      )
      for row in config.slo.burn
    ],
  }
