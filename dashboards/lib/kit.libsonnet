// What a dashboard file is handed: configuration, texts, queries, panels, and the frame they stand in.
local g = import '../../g.libsonnet';
local layout = import 'layout.libsonnet';

function(config)
  local localise = (import 'text.libsonnet')(config.dashboardLanguage);
  local words = localise(import '../texts/words.libsonnet');
  local prometheus = { type: 'prometheus', uid: '${datasource}' };

  // An annotation at every instant that expr returns as a value, in milliseconds, or at every sample.
  local annotation(name, colour, expr, title, text, atValue=false) = {
    name: name,
    datasource: prometheus,
    enable: true,
    hide: false,
    iconColor: colour,
    expr: expr,
    titleFormat: title,
    textFormat: text,
  } + (if atValue then { useValueForTime: true } else {});

  {
    config: config,
    words: words,
    panels: import 'panels.libsonnet',
    queries: (import 'queries.libsonnet')(),
    instanceQueries: (import 'queries.libsonnet')(instance=true),
    alerts: config.alerts,

    // Firing alerts of the chosen systems. An alert about something absent may have no job.
    firing(more='')::
      'ALERTS{alertname=~"Asynq.+", alertstate="firing", cluster=~"$cluster", job=~"$job|"' + more + '}',

    // Texts of one dashboard; its numbers are handed in, so that no sentence repeats one.
    texts(source):: localise(source),

    // What the numbers of queries.ladder and queries.backpressure mean.
    ladderMappings: [
      [0, words.states.normal, 'green'],
      [1, words.states.above, 'blue'],
      [2, words.states.warning, 'orange'],
      [3, words.states.critical, 'red'],
    ],
    backpressureMappings: [[0, 'NORMAL', 'green'], [1, 'WARNING', 'orange'], [2, 'CRITICAL', 'red']],

    pausedMappings: [[0, words.states.running, 'green'], [1, words.states.paused, 'orange']],

    // Where ratios change colour: at what the objective allows and at the alert; at the levels of backpressure.
    failureSteps: [
      [null, 'green'],
      // Without the dust of binary fractions.
      [std.floor((1 - config.slo.objective) * 1e6 + 0.5) / 1e6, 'yellow'],
      [config.alerts.AsynqFailureRatioHigh.threshold, 'red'],
    ],
    backpressureSteps: [
      [null, 'green'],
      [config.backpressure.warning, 'orange'],
      [config.backpressure.critical, 'red'],
    ],

    // Links of a table cell that holds a queue's name.
    local link(title, uid) = {
      title: title,
      url: '/d/' + uid + '?${datasource:queryparam}&${cluster:queryparam}&${job:queryparam}&var-queue=${__data.fields.queue:percentencode}&${__url_time_range}',
    },
    queueLinks: [link(words.links.queue, config.uids.queue), link(words.links.health, config.uids.health)],

    dashboard(uid, texts, rows, instance=false)::
      g.dashboard.new(texts.title)
      + g.dashboard.withUid(uid)
      + g.dashboard.withDescription(texts.description)
      + g.dashboard.withTags(config.dashboardTags)
      + g.dashboard.withEditable(false)
      + g.dashboard.withTimezone(config.dashboardTimezone)
      + g.dashboard.withRefresh(config.dashboardRefresh)
      + g.dashboard.time.withFrom(config.dashboardFrom)
      + g.dashboard.time.withTo('now')
      + g.dashboard.graphTooltip.withSharedCrosshair()
      + g.dashboard.withVariables((import 'variables.libsonnet')(config, words, instance))
      + g.dashboard.withLinks(
        [
          g.dashboard.link.dashboards.new(words.links.dashboards, config.dashboardTags)
          + g.dashboard.link.dashboards.options.withAsDropdown()
          + g.dashboard.link.dashboards.options.withIncludeVars()
          + g.dashboard.link.dashboards.options.withKeepTime(),
          g.dashboard.link.link.new(words.links.runbooks, config.runbookUrl)
          + g.dashboard.link.link.withIcon('doc')
          + g.dashboard.link.link.options.withTargetBlank(),
        ]
        + (if config.asynqmonUrl == '' then [] else [
             g.dashboard.link.link.new('Asynqmon', config.asynqmonUrl)
             + g.dashboard.link.link.withIcon('external link')
             + g.dashboard.link.link.options.withTargetBlank(),
           ])
      )
      + g.dashboard.withAnnotations([
        annotation(
          words.annotations.alerts,
          'red',
          self.firing(', alertname!="AsynqWatchdog"'),
          '{{alertname}}',
          '{{severity}} {{queue}}',
        ),
        annotation(
          words.annotations.restarts,
          'blue',
          'max by (cluster, job, instance) (process_start_time_seconds{cluster=~"$cluster", job=~"$job"}) * 1000',
          words.annotations.restarts,
          '{{instance}}',
          atValue=true,
        ),
      ])
      + g.dashboard.withPanels(layout.rows(rows), setPanelIDs=false),
  }
