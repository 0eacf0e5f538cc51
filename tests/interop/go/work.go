package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// soon is how far ahead a scheduled task may lie for the worker to wait for it.
const soon = 10 * time.Second

// attemptJSON is one call of the handler as the worker saw it.
type attemptJSON struct {
	ID       string            `json:"id"`
	Queue    string            `json:"queue"`
	Type     string            `json:"type"`
	Payload  []byte            `json:"payload"`
	Headers  map[string]string `json:"headers"`
	Retried  int               `json:"retried"`
	MaxRetry int               `json:"max_retry"`
	// Remaining is the time until the deadline of the attempt in nanoseconds.
	Remaining time.Duration `json:"remaining"`
	Error     string        `json:"error,omitempty"`
}

// worked collects the attempts of all workers.
type worked struct {
	mutex    sync.Mutex
	attempts []attemptJSON
}

// membersJSON is the payload of a task that the aggregator made of a group.
type membersJSON struct {
	Group   string   `json:"group"`
	Members [][]byte `json:"members"`
}

// work processes all that is in some queues, due soon or grouped, and prints each attempt.
func work(args []string) error {
	flags, conn := newFlags("work")
	queues := weights{"default": 1}
	flags.Var(queues, "queues", "queues to serve, with their weights")
	concurrency := flags.Int("concurrency", 4, "slots of the server")
	untilEmpty := flags.Bool("until-empty", false, "end when nothing is left to do, not at the end of standard input")
	if err := flags.Parse(args); err != nil {
		return err
	}
	done := &worked{attempts: []attemptJSON{}}
	server := asynq.NewServer(conn.opt(), asynq.Config{
		Concurrency:              *concurrency,
		Queues:                   queues,
		RetryDelayFunc:           retryIn,
		TaskCheckInterval:        100 * time.Millisecond,
		DelayedTaskCheckInterval: 200 * time.Millisecond,
		GroupGracePeriod:         time.Second,
		GroupAggregator:          asynq.GroupAggregatorFunc(aggregate),
		LogLevel:                 asynq.FatalLevel,
	})
	if err := server.Start(asynq.HandlerFunc(done.handle)); err != nil {
		return err
	}
	var err error
	if *untilEmpty {
		err = waitUntilEmpty(conn, queues)
	} else {
		waitForEnd()
	}
	server.Shutdown()
	if err != nil {
		return err
	}
	sort.Slice(done.attempts, func(a, b int) bool { return done.attempts[a].ID < done.attempts[b].ID })
	return say(done.attempts)
}

func (w *worked) handle(ctx context.Context, task *asynq.Task) error {
	attempt := attemptJSON{Type: task.Type(), Payload: task.Payload(), Headers: task.Headers()}
	attempt.ID, _ = asynq.GetTaskID(ctx)
	attempt.Queue, _ = asynq.GetQueueName(ctx)
	attempt.Retried, _ = asynq.GetRetryCount(ctx)
	attempt.MaxRetry, _ = asynq.GetMaxRetry(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		attempt.Remaining = time.Until(deadline)
	}
	err := obey(ctx, task, nil)
	if err != nil {
		attempt.Error = err.Error()
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.attempts = append(w.attempts, attempt)
	return err
}

// aggregate packs the payloads of a group into one task.
func aggregate(group string, tasks []*asynq.Task) *asynq.Task {
	members := membersJSON{Group: group}
	for _, task := range tasks {
		members.Members = append(members.Members, task.Payload())
	}
	payload, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return asynq.NewTask("aggregated", payload, asynq.Retention(time.Hour))
}

func waitUntilEmpty(conn *connection, queues weights) error {
	inspector := asynq.NewInspector(conn.opt())
	defer inspector.Close()
	raw := conn.raw()
	defer raw.Close()
	return waitUntil("the queues are empty", func() (bool, error) {
		for queue := range queues {
			if empty, err := isEmpty(inspector, raw, queue); err != nil || !empty {
				return false, err
			}
		}
		return true, nil
	})
}

func isEmpty(inspector *asynq.Inspector, raw redis.UniversalClient, queue string) (bool, error) {
	// Tasks go from a group over a set to a pending task: reading in this order never misses them all.
	groups, err := inspector.Groups(queue)
	if err != nil {
		return false, err
	}
	for _, group := range groups {
		if group.Size > 0 {
			return false, nil
		}
	}
	sets, err := raw.ZCard(context.Background(), fmt.Sprintf("asynq:{%s}:aggregation_sets", queue)).Result()
	if err != nil || sets > 0 {
		return false, err
	}
	scheduled, err := inspector.ListScheduledTasks(queue, asynq.PageSize(1))
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return true, nil // nobody ever enqueued anything to it
	}
	if err != nil {
		return false, err
	}
	if len(scheduled) > 0 && time.Until(scheduled[0].NextProcessAt) < soon {
		return false, nil
	}
	retry, err := inspector.ListRetryTasks(queue, asynq.PageSize(1))
	if err != nil || len(retry) > 0 && time.Until(retry[0].NextProcessAt) < soon {
		return false, err
	}
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		inspector.ListPendingTasks,
		inspector.ListActiveTasks,
	} {
		tasks, err := list(queue, asynq.PageSize(1))
		if err != nil || len(tasks) > 0 {
			return false, err
		}
	}
	return true, nil
}
