// All alerts as Prometheus rule groups. Here, and only here, they get their links.
local areas = [
  import 'documented.libsonnet',
  import 'ladders.libsonnet',
  import 'queues.libsonnet',
  import 'tasks.libsonnet',
  import 'workers.libsonnet',
  import 'slo.libsonnet',
  import 'exporter.libsonnet',
  import 'redis.libsonnet',
];

function(config)
  local isEnabled(rule) =
    local settings = config.alerts[rule.alert];
    !std.objectHas(settings, 'enabled') || settings.enabled;

  local withLinks(rule) =
    local query = std.join('&', ['var-%s={{ $labels.%s }}' % [name, name] for name in rule.variables]);
    rule {
      annotations+: {
        runbook_url: '%s/%s.md' % [config.runbookUrl, rule.alert],
        runbook_url_zh: '%s/zh/%s.md' % [config.runbookUrl, rule.alert],
        dashboard_url: '%s/d/%s' % [config.grafanaUrl, config.uids[rule.dashboard]] +
                       (if query == '' then '' else '?' + query),
      },
    };

  {
    groups: [
      area(config) { rules: [withLinks(rule) for rule in super.rules if isEnabled(rule)] }
      for area in areas
    ],
  }
