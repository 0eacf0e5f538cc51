package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

// serve runs a real server until standard input ends or SIGTERM comes; "ready" is printed when it has started.
// The IDs of tasks in its hands stand in a Redis set, so that whoever kills it knows what it was doing.
func serve(args []string) error {
	flags, conn := newFlags("serve")
	queues := weights{"default": 1}
	flags.Var(queues, "queues", "queues to serve, with their weights")
	concurrency := flags.Int("concurrency", 10, "slots of the server")
	held := flags.String("held", "held", "Redis set of the IDs of tasks in hand")
	if err := flags.Parse(args); err != nil {
		return err
	}
	raw := conn.raw()
	defer raw.Close()
	server := asynq.NewServer(conn.opt(), asynq.Config{
		Concurrency:              *concurrency,
		Queues:                   queues,
		RetryDelayFunc:           retryIn,
		TaskCheckInterval:        100 * time.Millisecond,
		DelayedTaskCheckInterval: time.Second,
		GroupGracePeriod:         time.Second,
		GroupAggregator:          asynq.GroupAggregatorFunc(aggregate),
		LogLevel:                 asynq.FatalLevel,
	})
	handler := func(ctx context.Context, task *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		if err := raw.SAdd(ctx, *held, id).Err(); err != nil {
			return err
		}
		outcome := obey(ctx, task, nil)
		if outcome == nil {
			_, outcome = task.ResultWriter().Write([]byte("go"))
		}
		if err := raw.SRem(context.Background(), *held, id).Err(); err != nil {
			return err
		}
		return outcome
	}
	if err := server.Start(asynq.HandlerFunc(handler)); err != nil {
		return err
	}
	fmt.Println("ready")
	waitForEnd()
	server.Shutdown()
	return nil
}

// cancel asks every server to cancel a task.
func cancel(args []string) error {
	flags, conn := newFlags("cancel")
	id := flags.String("id", "", "ID of the task")
	if err := flags.Parse(args); err != nil {
		return err
	}
	inspector := asynq.NewInspector(conn.opt())
	defer inspector.Close()
	if err := inspector.CancelProcessing(*id); err != nil {
		return err
	}
	return say(map[string]string{"canceled": *id})
}
