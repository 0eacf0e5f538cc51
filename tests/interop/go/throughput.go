package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// throughput measures the real client or the real server on a task type of its own, and prints the seconds. As in
// asynq's own benchmarks processing ends with the last call of the handler.
func throughput(args []string) error {
	flags, conn := newFlags("throughput")
	what := flags.String("what", "enqueue", "enqueue or process")
	tasks := flags.Int("tasks", 1000, "number of tasks")
	callers := flags.Int("callers", 1, "how many enqueue at the same time")
	concurrency := flags.Int("concurrency", 10, "slots of the server")
	retention := flags.Duration("retention", 0, "how long tasks are kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var seconds float64
	var err error
	switch *what {
	case "enqueue":
		seconds, err = timeEnqueue(conn, *tasks, *callers, *retention)
	case "process":
		seconds, err = timeProcess(conn, *tasks, *concurrency)
	default:
		err = fmt.Errorf("enqueue or process, not %q", *what)
	}
	if err != nil {
		return err
	}
	return say(map[string]float64{"seconds": seconds})
}

func timeEnqueue(conn *connection, tasks, callers int, retention time.Duration) (float64, error) {
	client := asynq.NewClient(conn.opt())
	defer client.Close()
	if err := client.Ping(); err != nil {
		return 0, err
	}
	errs := make([]error, callers)
	var wait sync.WaitGroup
	started := time.Now()
	for caller := range callers {
		wait.Go(func() {
			for range tasks / callers {
				if _, err := client.Enqueue(asynq.NewTask("bench", []byte("{}")), asynq.Retention(retention)); err != nil {
					errs[caller] = err
					return
				}
			}
		})
	}
	wait.Wait()
	seconds := time.Since(started).Seconds()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return seconds, nil
}

func timeProcess(conn *connection, tasks, concurrency int) (float64, error) {
	server := asynq.NewServer(conn.opt(), asynq.Config{Concurrency: concurrency, LogLevel: asynq.FatalLevel})
	var wait sync.WaitGroup
	wait.Add(tasks)
	started := time.Now()
	err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		wait.Done()
		return nil
	}))
	if err != nil {
		return 0, err
	}
	wait.Wait()
	seconds := time.Since(started).Seconds()
	server.Shutdown()
	return seconds, nil
}
