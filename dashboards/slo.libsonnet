// Success, error budget and burn rates, from the recording rules.
function(kit)
  local config = kit.config, q = kit.queries, p = kit.panels, w = kit.words, c = w.columns;
  local rules = (import '../alerts/rules.libsonnet')(config);
  local source = (import 'texts/slo.libsonnet')(config);
  local texts = kit.texts(source);
  local t = texts.panels;

  local objective = config.slo.objective;
  local rows = config.slo.burn;
  local shortest = rows[0].long;
  local longest = rows[std.length(rows) - 1].long;

  local success(window) = q.perQueue(rules.successRatio(window));
  local burn(window) = q.perQueue(rules.failureRatio(window)) + ' / (1 - ' + ('%g' % objective) + ')';
  local budget = '1 - ' + burn(longest);
  local budgetSteps = [[null, 'red'], [0, 'green']];
  local burnSteps(row) = [[null, 'green']] + (if row.factor > 1 then [[1, 'yellow']] else []) + [[row.factor, 'red']];

  local headline = [
    [p.stat(t.success, 'percentunit', [q.range('min(' + success(longest) + ')', t.success.title)], {
      spark: true,
      decimals: 2,
      noValue: '-',
      steps: [[null, 'red'], [objective, 'green']],
    }), 4, 5],
    [p.stat(t.budget, 'percentunit', [q.range('min(' + budget + ')', t.budget.title)], {
      spark: true,
      decimals: 0,
      noValue: '-',
      steps: budgetSteps,
    }), 4, 5],
  ] + [
    [p.stat(kit.texts(source.burnStat(row)), 'short', [q.range('max(' + burn(row.long) + ')', w.columns.burn)], {
      spark: true,
      decimals: 2,
      noValue: '-',
      steps: burnSteps(row),
    }), 4, 5]
    for row in rows
  ];

  local ratio = [
    [p.timeseries(t.ratio, 'percentunit', [
      q.range(success(window), '{{queue}} ' + window)
      for window in [shortest, longest]
    ], { min: null, max: 1, lines: true, steps: [[null, 'red'], [objective, 'green']] }), 8, 9],
    [p.timeseries(t.left, 'percentunit', [q.range(budget, '{{queue}}')], {
      min: null,
      max: 1,
      lines: true,
      steps: [[null, 'red'], [0, 'green']],
    }), 8, 9],
    [p.timeseries(t.volume, 'ops', [q.range(q.rateOfQueue('asynq_failed_total'), '{{queue}}')], { stack: true }), 8, 9],
  ];

  local burning = [
    [p.timeseries(kit.texts(source.burnPanel(row)), 'short', [
      q.range('max(' + burn(row.long) + ')', '%s %s' % [w.series.long, row.long]),
      q.range('max(' + burn(row.short) + ')', '%s %s' % [w.series.short, row.short]),
    ], { lines: true, steps: [[null, 'green'], [row.factor, 'red']] }), 6, 8]
    for row in rows
  ] + [
    [p.table(t.table, 'short', [
      q.rows(success(longest)),
      q.rows(budget),
    ] + [q.rows(burn(row.long)) for row in rows], [
      ['cluster', c.cluster, {}],
      ['queue', c.queue, { links: kit.queueLinks }],
      ['Value #A', '%s (%s)' % [c.ratio, longest], {
        unit: 'percentunit',
        decimals: 2,
        'custom.cellOptions': { type: 'color-text' },
        thresholds: p.steps([[null, 'red'], [objective, 'green']]),
      }],
      ['Value #B', c.budget, {
        unit: 'percentunit',
        decimals: 0,
        'custom.cellOptions': p.coloured,
        thresholds: p.steps(budgetSteps),
      }],
    ] + [
      ['Value #' + std.char(std.codepoint('C') + i), '%s (%s)' % [c.burn, rows[i].long], {
        decimals: 2,
        'custom.cellOptions': { type: 'color-text' },
        thresholds: p.steps(burnSteps(rows[i])),
      }]
      for i in std.range(0, std.length(rows) - 1)
    ], { sort: [{ displayName: c.budget, desc: false }] }), 24, 8],
  ];

  kit.dashboard(config.uids.slo, texts, [
    { title: texts.rows.headline, panels: headline },
    { title: texts.rows.ratio, panels: ratio },
    { title: texts.rows.burn, panels: burning },
  ])
