// Everything a user may change: (import 'mixin.libsonnet') { _config+:: { … } }.
// The numbers come from the exporter's catalogue, which Python reads too; none is repeated here.
local catalog = import 'exporter/asynq_exporter/core/catalog.json';

{
  // Of the catalogue: queues, backpressure, archive, alerts, slo.
  _config+:: catalog {
    // Chooses the exporter's series. Matches app-asynq (the guide), asynq (compose) and asynq-exporter (Kubernetes).
    asynqSelector: 'job=~"(app-)?asynq(-exporter)?"',

    // Where one Prometheus sees several clusters, name them: a vanished exporter is then noticed in each.
    clusters: [],

    // Value of the label `service` of every alert: Alertmanager routes and mutes by it.
    service: 'asynq',

    // Scrape interval and timeout of prometheus.yml; Grafana derives its rate windows from the interval.
    scrapeInterval: '15s',
    scrapeTimeout: '10s',

    // Link targets of alerts. The runbooks lie in alerts/runbooks/: give the address at which you publish them.
    runbookUrl: 'https://asynq-exporter.example.com/runbooks',
    grafanaUrl: 'http://localhost:3000',

    // Stable for ever: alerts and people's bookmarks point to them.
    uids: {
      overview: 'asynq-overview',
      queue: 'asynq-queue',
      workers: 'asynq-workers',
      health: 'asynq-health',
      redis: 'asynq-redis',
      slo: 'asynq-slo',
    },
    dashboardTags: ['asynq'],
  },
}
