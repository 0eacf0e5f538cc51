// Template variables, each chained to those before it.
local g = import '../../g.libsonnet';
local variable = g.dashboard.variable;

function(config, words, instance=false)
  local multi = std.length(config.clusters) > 0;
  local datasource =
    variable.datasource.new('datasource', 'prometheus')
    + variable.datasource.generalOptions.withLabel(words.variables.datasource)
    + variable.datasource.generalOptions.withCurrent('default', 'default');
  local query(name, label, metric, all) =
    variable.query.new(name)
    + variable.query.queryTypes.withLabelValues(name, metric)
    + variable.query.withDatasourceFromVariable(datasource)
    + variable.query.generalOptions.withLabel(label)
    + variable.query.selectionOptions.withMulti()
    + variable.query.selectionOptions.withIncludeAll(customAllValue=all)
    + variable.query.withSort(1)
    + variable.query.refresh.onTime()
    + { current: { selected: true, text: ['All'], value: ['$__all'] } };
  [
    datasource,
    // A Prometheus without external labels has no cluster: .* matches that too.
    query('cluster', words.variables.cluster, 'asynq_up{%s}' % config.asynqSelector, '.*')
    + (if multi then {} else variable.query.generalOptions.showOnDashboard.withNothing()),
    query('job', words.variables.job, 'asynq_up{%s, cluster=~"$cluster"}' % config.asynqSelector, '.+'),
  ]
  + (if instance then [
       query('instance', words.variables.instance, 'asynq_up{cluster=~"$cluster", job=~"$job"}', '.+'),
     ] else [])
  + [
    query(
      'queue',
      words.variables.queue,
      'asynq_queue_size{cluster=~"$cluster", job=~"$job"%s}' % (if instance then ', instance=~"$instance"' else ''),
      '.+',
    ),
  ]
