package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
)

const (
	// schedulerBeat is short because a scheduler's first heartbeat comes one interval after its start.
	schedulerBeat = 2 * time.Second
	// tickTask is enqueued by the one entry that fires; its fixed ID lets only the first firing through.
	tickTask = "tick-once"
	// abortAfter is how long a server that requeues waits for handlers that do not end.
	abortAfter = 200 * time.Millisecond
)

// live runs a real server and a real scheduler until standard input ends or SIGTERM comes. It prints "ready"
// when both have written their heartbeats and the blocked tasks have worker records.
func live(args []string) error {
	flags, conn := newFlags("live")
	queues := weights{"critical": 6, "high": 5, "default": 3, "scheduled": 2, "low": 1}
	block := weights{"critical": 2, "default": 1}
	flags.Var(queues, "queues", "queues to serve, with their weights")
	flags.Var(block, "block", "how many blocking tasks to enqueue first, per queue")
	concurrency := flags.Int("concurrency", 10, "slots of the server")
	strict := flags.Bool("strict", false, "strict priority of the queues")
	withScheduler := flags.Bool("scheduler", true, "run a scheduler too")
	requeue := flags.Bool("requeue", false, "end without releasing the blocked tasks, so that they are requeued")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := enqueueBlocked(conn, block); err != nil {
		return err
	}
	release := make(chan struct{})
	config := asynq.Config{
		Concurrency:    *concurrency,
		Queues:         queues,
		StrictPriority: *strict,
		RetryDelayFunc: retryIn,
		LogLevel:       asynq.FatalLevel,
	}
	if *requeue {
		config.ShutdownTimeout = abortAfter
	}
	server := asynq.NewServer(conn.opt(), config)
	handler := func(ctx context.Context, task *asynq.Task) error { return obey(ctx, task, release) }
	if err := server.Start(asynq.HandlerFunc(handler)); err != nil {
		return err
	}
	var entries []string
	if *withScheduler {
		scheduler := asynq.NewScheduler(conn.opt(), &asynq.SchedulerOpts{
			HeartbeatInterval: schedulerBeat,
			LogLevel:          asynq.FatalLevel,
		})
		var err error
		if entries, err = registerEntries(scheduler); err != nil {
			return err
		}
		if err := scheduler.Start(); err != nil {
			return err
		}
		defer scheduler.Shutdown()
	}
	if err := waitForHeartbeats(conn, block.total(), entries); err != nil {
		return err
	}
	fmt.Println("ready")
	waitForEnd()
	if !*requeue {
		close(release)
	}
	server.Shutdown()
	return nil
}

func enqueueBlocked(conn *connection, block weights) error {
	client := asynq.NewClient(conn.opt())
	defer client.Close()
	for queue, number := range block {
		for i := range number {
			task := asynq.NewTask("block:here", order{Block: true}.payload())
			id := fmt.Sprintf("blocked-%s-%d", queue, i)
			if _, err := client.Enqueue(task, asynq.Queue(queue), asynq.TaskID(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

func registerEntries(scheduler *asynq.Scheduler) ([]string, error) {
	var ids []string
	for _, entry := range []struct {
		spec    string
		task    *asynq.Task
		options []asynq.Option
	}{
		{"@every 1s", asynq.NewTask("tick", nil), []asynq.Option{asynq.TaskID(tickTask), asynq.Retention(time.Hour)}},
		{"0 3 * * *", asynq.NewTask("mail:digest", []byte(`{"to":"all"}`)),
			[]asynq.Option{asynq.Queue("low"), asynq.MaxRetry(3), asynq.Timeout(90 * time.Second)}},
		{"@hourly", asynq.NewTask("cleanup", order{Result: "clean"}.payload()),
			[]asynq.Option{asynq.Unique(time.Hour), asynq.Queue("scheduled")}},
	} {
		id, err := scheduler.Register(entry.spec, entry.task, entry.options...)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// waitForHeartbeats waits for this process's server with all its workers, for its scheduler entries and
// for the event of the one that fires.
func waitForHeartbeats(conn *connection, workers int, entries []string) error {
	inspector := asynq.NewInspector(conn.opt())
	defer inspector.Close()
	err := waitUntil("the server's heartbeat shows its workers", func() (bool, error) {
		servers, err := inspector.Servers()
		for _, server := range servers {
			if server.PID == os.Getpid() && server.Status == "active" && len(server.ActiveWorkers) == workers {
				return true, err
			}
		}
		return false, err
	})
	if err != nil || len(entries) == 0 {
		return err
	}
	return waitUntil("the scheduler's heartbeat shows its entries", func() (bool, error) {
		found, err := inspector.SchedulerEntries()
		if err != nil || len(found) < len(entries) {
			return false, err
		}
		events, err := inspector.ListSchedulerEnqueueEvents(entries[0])
		if err != nil || len(events) == 0 {
			return false, err
		}
		info, err := inspector.GetTaskInfo("default", tickTask)
		return err == nil && info.State == asynq.TaskStateCompleted, nil
	})
}

// waitForEnd returns at the end of standard input or at SIGTERM or SIGINT.
func waitForEnd() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end <- syscall.SIGTERM
	}()
	<-end
}
