// The Redis that holds the queues.
function(config)
  local rule = (import 'rule.libsonnet')(config);
  local memory = rule.settings('AsynqRedisMemoryHigh');
  {
    name: 'asynq-redis',
    rules: [
      rule.alert(
        'AsynqRedisDown',
        '%s == 0' % rule.gauge('asynq_up', by=[]),
        en=[
          'The exporter cannot read Redis.',
          'Redis of %(job)s has not answered for %(for)s: tasks are neither accepted nor processed.',
        ],
        zh=[
          'Redis 无法访问。',
          '%(job)s 的 Redis 已有 %(for)s没有响应：任务既无法入队，也无法处理。',
        ],
        dashboard='redis',
        variables=['job'],
      ),
    ] + [
      rule.alert(
        'AsynqRedisMemoryHigh',
        |||
          %s
          / (%s > 0)
          > %s
        ||| % [
          rule.gauge('asynq_redis_memory_used_bytes', by=[]),
          rule.gauge('asynq_redis_memory_max_bytes', by=[]),
          rule.number(memory.levels[severity]),
        ],
        severity=severity,
        en=[
          'Redis is running out of memory.',
          'Redis of %(job)s uses %(share)s of maxmemory; at the limit it refuses new tasks or deletes old ones.',
        ],
        zh=[
          'Redis 内存即将用尽。',
          '%(job)s 的 Redis 已使用 maxmemory 的 %(share)s；达到上限后会拒绝新任务或删除旧任务。',
        ],
        dashboard='redis',
        variables=['job'],
      )
      for severity in ['warning', 'critical']
    ] + [
      rule.alert(
        'AsynqRedisEvicting',
        '%s > 0' % rule.over(
          'increase',
          'asynq_redis_evicted_keys_total',
          rule.settings('AsynqRedisEvicting').window,
          by=[],
        ),
        en=[
          'Redis deletes keys to free memory: tasks are being lost.',
          'Redis of %(job)s evicted about %(count)s keys within %(window)s.',
        ],
        zh=[
          'Redis 正在逐出键：任务正在丢失。',
          '%(job)s 的 Redis 在 %(window)s内逐出了约 %(count)s 个键。',
        ],
        dashboard='redis',
        variables=['job'],
      ),
      rule.alert(
        'AsynqRedisEvictionPolicy',
        // A managed Redis may hide its policy; an empty label says so.
        '%s == 1' % rule.gauge(
          'asynq_redis_info',
          'maxmemory_policy!="", maxmemory_policy!="noeviction"',
          by=['maxmemory_policy'],
        ),
        en=[
          'Redis may delete tasks when memory is short.',
          'Redis of %(job)s has maxmemory-policy {{ $labels.maxmemory_policy }}; a task queue needs noeviction.',
        ],
        zh=[
          'Redis 内存不足时可能删除任务。',
          '%(job)s 的 Redis 的 maxmemory-policy 为 {{ $labels.maxmemory_policy }}；任务队列必须使用 noeviction。',
        ],
        dashboard='redis',
        variables=['job'],
      ),
    ],
  }
