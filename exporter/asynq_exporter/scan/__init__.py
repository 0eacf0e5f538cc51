"""One read-only, bounded pass over Redis makes one frozen Snapshot; everything else is a function of it.

What a scan found is in `snapshot`. `pipe` is a connection on which prebuilt requests (`commands`) fly and
replies are read in bulk. What is asked of each noun, and how the answer is read, stands in `queues`,
`workers`, `schedulers`, `breakers` and `redis_info`. `scanner` puts them into one pass with a deadline,
`shared` gives one pass to all who ask at the same time, and `background` has the slow things with a budget.
"""
