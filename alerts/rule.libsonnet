// How an alert of this bundle is written: selectors, aggregation, settings, texts in two languages.
//
// Two replicas of the exporter look at the same Redis, so a sum would count everything twice: values are joined by max.
local unitWords = {
  s: ['second', '秒'],
  m: ['minute', '分钟'],
  h: ['hour', '小时'],
  d: ['day', '天'],
  w: ['week', '周'],
};

// '5m' in words.
local words(duration) =
  local last = std.length(duration) - 1;
  local amount = duration[0:last];
  local unit = unitWords[duration[last]];
  {
    en: '%s %s%s' % [amount, unit[0], if amount == '1' then '' else 's'],
    zh: '%s %s' % [amount, unit[1]],
  };

// The value in a description: a number of tasks, a share, a time, an amount of memory.
local values = {
  count: '{{ printf "%.0f" $value }}',
  share: '{{ humanizePercentage $value }}',
  time: '{{ humanizeDuration $value }}',
  bytes: '{{ humanize1024 $value }}B',
};

// The labels in a description.
local labels = {
  queue: '{{ $labels.queue }}',
  job: '{{ $labels.job }}',
  instance: '{{ $labels.instance }}',
};

function(config) {
  local this = self,

  settings(name):: config.alerts[name],

  // A number as people write it: 0.99, not the 17 digits of a binary fraction.
  number(value):: if value == std.floor(value) then '%d' % value else '%g' % value,

  threshold(name):: this.number(config.alerts[name].threshold),

  // metric{job=~"…", more matchers}
  series(metric, matchers=''):: '%s{%s}' % [
    metric,
    std.join(', ', [config.asynqSelector] + (if matchers == '' then [] else [matchers])),
  ],

  // One value for each queue (or whatever `by` names beside cluster and job), whichever replica reports it.
  max(inner, by=['queue']):: 'max by (%s) (%s)' % [std.join(', ', ['cluster', 'job'] + by), inner],
  gauge(metric, matchers='', by=['queue']):: this.max(this.series(metric, matchers), by),
  over(func, metric, window, matchers='', by=['queue'])::
    this.max('%s(%s[%s])' % [func, this.series(metric, matchers), window], by),

  // The level of the exporter's own ladder for each queue.
  level(state, level):: this.gauge('asynq_queue_threshold', 'state="%s", level="%s"' % [state, level]),

  // An alerting rule; `name` finds its settings, arguments win over them.
  // `dashboard` names one of config.uids, `variables` those of its variables that labels of the alert fill.
  // Texts are [summary, description]; %(count)s and the like stand for the parts of a Go template.
  alert(
    name,
    expr,
    en,
    zh,
    severity=null,
    duration=null,
    dashboard='queue',
    variables=['job', 'queue'],
    labels={},
    numbers={}
  )::
    local settings = config.alerts[name];
    local pause = if duration != null then duration else if std.objectHas(settings, 'for') then settings['for'];
    local span = if pause == null then { en: '', zh: '' } else words(pause);
    local window = if std.objectHas(settings, 'window') then words(settings.window) else { en: '', zh: '' };
    local fill(text, language) =
      text % (settings { 'for': span[language], window: window[language] } + values + this.labelTexts + numbers);
    {
      alert: name,
      expr: expr,
      [if pause != null then 'for']: pause,
      [if std.objectHas(settings, 'keep_firing_for') then 'keep_firing_for']: settings.keep_firing_for,
      labels: {
        severity: if severity != null then severity else settings.severity,
        service: config.service,
      } + labels,
      annotations: {
        summary: fill(en[0], 'en'),
        description: fill(en[1], 'en'),
        summary_zh: fill(zh[0], 'zh'),
        description_zh: fill(zh[1], 'zh'),
      },
      dashboard:: dashboard,
      variables:: variables,
    },

  labelTexts:: labels,
}
