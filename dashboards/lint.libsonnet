// What Grafana's dashboard-linter is asked to overlook, and why; written as .lint beside the dashboards.
function(config, dashboards)
  local titles = [dashboards[file].title for file in std.objectFields(dashboards)];
  local withInstance = dashboards['asynq-redis.json'].title;
  local withoutInstance = [title for title in titles if title != withInstance];
  local firing = [
    { dashboard: dashboards['asynq-overview.json'].title, panel: panel.title }
    for panel in dashboards['asynq-overview.json'].panels
    for target in std.get(panel, 'targets', [])
    if std.length(std.findSubstr('ALERTS{', target.expr)) > 0
  ];
  local queues = 'The series describe what lies in Redis. Every replica of the exporter serves the same ones, and the queries take the maximum over them.';
  {
    exclusions: {
      'template-instance-rule': { reason: queues, entries: [{ dashboard: title } for title in withoutInstance] },
      'target-instance-rule': { reason: queues, entries: [{ dashboard: title } for title in withoutInstance] },
      'target-job-rule': {
        reason: 'An alert about something absent may have no job: the selector of ALERTS admits the chosen jobs and none.',
        entries: firing,
      },
    } + (if config.dashboardLanguage == 'en' then {} else {
           'template-datasource-rule': {
             reason: 'The label of the data source is in the language of the dashboard.',
             entries: [{ dashboard: title } for title in titles],
           },
         }),
  }
