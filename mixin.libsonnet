// The monitoring mixin of asynq-exporter: alerts, recording rules and dashboards as data.
//
//   jsonnet -S -e 'std.manifestYamlDoc((import "mixin.libsonnet").prometheusAlerts)'
//   jsonnet -S -e 'std.manifestYamlDoc((import "mixin.libsonnet").prometheusRules)'
//   jsonnet -J vendor -m dashboards/out -e '(import "mixin.libsonnet").grafanaDashboards'
//
// Only the last needs a library (grafonnet, by `jb install`): what is not asked for is not evaluated.
local sound = import 'alerts/check.libsonnet';

(import 'config.libsonnet') {
  prometheusAlerts+:: (import 'alerts/alerts.libsonnet')(sound($._config)),
  prometheusRules+:: (import 'alerts/rules.libsonnet')(sound($._config)),

  // dashboards/dashboards.libsonnet is a function of the configuration: file name -> dashboard.
  grafanaDashboards+:: (import 'dashboards/dashboards.libsonnet')(sound($._config)),
}
