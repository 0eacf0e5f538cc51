// The exporter itself: nobody watches it but these. Absent, down and without Redis are three failures.
function(config)
  local rule = (import 'rule.libsonnet')(config);

  // A target that answers but serves no asynq_up is something else than our exporter.
  local absent(matchers) =
    |||
      absent(%s)
      or
      absent(%s) and on () max(%s) == 1
    ||| % [
      rule.series('up', matchers),
      rule.series('asynq_up', matchers),
      rule.series('up', matchers),
    ];

  {
    name: 'asynq-exporter',
    rules: [
      rule.alert(
        'AsynqExporterAbsent',
        absent(matchers),
        en=[
          'Prometheus knows no asynq-exporter.',
          'For %(for)s no target has served asynq_up{{ with $labels.cluster }} in cluster {{ . }}{{ end }}: every other Asynq alert is blind.',
        ],
        zh=[
          'Prometheus 中没有 asynq-exporter。',
          '已有 %(for)s没有任何目标提供 asynq_up{{ with $labels.cluster }}（集群 {{ . }}）{{ end }}，其他 Asynq 告警全部失效。',
        ],
        dashboard='redis',
        variables=[],
      )
      for matchers in if config.clusters == [] then [''] else ['cluster="%s"' % name for name in config.clusters]
    ] + [
      rule.alert(
        'AsynqExporterDown',
        '%s == 0' % rule.gauge('up', by=[]),
        severity='critical',
        en=[
          'No asynq-exporter of a job can be scraped.',
          'Every target of job %(job)s has been down for %(for)s: nobody sees its queues.',
        ],
        zh=[
          'asynq-exporter 全部无法抓取。',
          'job %(job)s 的所有目标已离线 %(for)s，队列处于无监控状态。',
        ],
        dashboard='redis',
        variables=['job'],
      ),
      rule.alert(
        'AsynqExporterDown',
        '%s == 0\nand on (cluster, job)\n%s == 1' % [
          rule.gauge('up', by=['instance']),
          rule.gauge('up', by=[]),
        ],
        severity='warning',
        en=[
          'One asynq-exporter of several cannot be scraped.',
          'Target %(instance)s of job %(job)s has been down for %(for)s; another one still answers.',
        ],
        zh=[
          '部分 asynq-exporter 无法抓取。',
          'job %(job)s 的目标 %(instance)s 已离线 %(for)s，其他副本仍正常。',
        ],
        dashboard='redis',
        variables=['job'],
      ),
      rule.alert(
        'AsynqScanSlow',
        '%s > %s' % [
          rule.gauge('scrape_duration_seconds', by=['instance']),
          rule.threshold('AsynqScanSlow'),
        ],
        en=[
          'Scrapes of the exporter come near their timeout.',
          'A scrape of %(instance)s of job %(job)s takes %(time)s; the timeout is %(timeout)s.',
        ],
        zh=[
          '抓取耗时接近超时。',
          '抓取 job %(job)s 的 %(instance)s 耗时 %(time)s，超时为 %(timeout)s。',
        ],
        dashboard='redis',
        variables=['job'],
        numbers={ timeout: config.scrapeTimeout },
      ),
      rule.alert(
        'AsynqCollectorFailing',
        '%s == 0\nor\n%s > 0' % [
          rule.gauge('asynq_exporter_collector_success', by=['instance', 'collector']),
          rule.over(
            'increase',
            'asynq_exporter_queue_errors_total',
            rule.settings('AsynqCollectorFailing').window,
            by=['instance', 'queue'],
          ),
        ],
        en=[
          'A part of the exporter fails.',
          '%(instance)s of job %(job)s has failed for %(for)s to read {{ with $labels.collector }}its part {{ . }}{{ end }}{{ with $labels.queue }}queue {{ . }}{{ end }}; these metrics are missing.',
        ],
        zh=[
          '采集器失败。',
          'job %(job)s 的 %(instance)s 已有 %(for)s无法读取{{ with $labels.collector }}采集器 {{ . }}{{ end }}{{ with $labels.queue }}队列 {{ . }}{{ end }}，相应指标缺失。',
        ],
        dashboard='redis',
        variables=['job'],
      ),
      rule.alert(
        'AsynqWatchdog',
        'vector(1) > 0',
        en=[
          'Alerting works.',
          'This alert always fires{{ with $externalLabels.cluster }} in cluster {{ . }}{{ end }}: when the heartbeat receiver hears nothing, Prometheus or Alertmanager is down.',
        ],
        zh=[
          '告警链路正常。',
          '此告警始终触发{{ with $externalLabels.cluster }}（集群 {{ . }}）{{ end }}：心跳接收端收不到它，说明 Prometheus 或 Alertmanager 已中断。',
        ],
        dashboard='redis',
        variables=[],
      ),
    ],
  }
