// The six dashboards of a configuration: file name -> dashboard.
//
// Fields of the configuration that only the dashboards read have their defaults here.
local defaults = {
  // Language of titles, descriptions and legends: en or zh. The uids are the same: serve one of the two.
  dashboardLanguage: 'en',
  dashboardFrom: 'now-3h',
  dashboardRefresh: '30s',
  dashboardTimezone: 'browser',
  // Address of Asynqmon or of the exporter's console, for a link at the top; empty: no link.
  asynqmonUrl: '',
};

function(config)
  local complete = defaults + config;
  local kit = (import 'lib/kit.libsonnet')(complete);
  {
    // Exclusions for Grafana's dashboard-linter; hidden, for it is no dashboard.
    lint:: (import 'lint.libsonnet')(complete, self),

    'asynq-overview.json': (import 'overview.libsonnet')(kit),
    'asynq-queue.json': (import 'queue.libsonnet')(kit),
    'asynq-workers.json': (import 'workers.libsonnet')(kit),
    'asynq-health.json': (import 'health.libsonnet')(kit),
    'asynq-redis.json': (import 'redis.libsonnet')(kit),
    'asynq-slo.json': (import 'slo.libsonnet')(kit),
  }
