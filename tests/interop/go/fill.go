package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

// oddQueue has every character that labels, URLs, JSON, HTML and globs care about.
const oddQueue = "odd:\"queue\" {x} \\ *?[é] <b>&\n中"

// plan is what a queue shall hold in the end. A failing task is at least one attempt, a kept or plain
// success exactly one.
type plan struct {
	Pending         int            `json:"pending"`
	Active          int            `json:"active"`
	Scheduled       int            `json:"scheduled"`
	ScheduledDue    int            `json:"scheduled_overdue"` // part of Scheduled
	Retry           int            `json:"retry"`
	RetryDue        int            `json:"retry_overdue"` // part of Retry
	RetriedTwice    bool           `json:"retried_twice"` // all of Retry failed twice
	Archived        int            `json:"archived"`
	Completed       int            `json:"completed"`
	Plain           int            `json:"plain"` // successes that leave nothing behind
	Groups          map[string]int `json:"groups"`
	Paused          bool           `json:"paused"`
	ProcessedTotal  int            `json:"processed_total"`
	FailedTotal     int            `json:"failed_total"`
	UniqueScheduled int            `json:"unique_scheduled"` // part of Scheduled that holds a uniqueness lock
}

func plans() map[string]*plan {
	all := map[string]*plan{
		"critical":    {Pending: 3, Active: 2, Completed: 5, Plain: 7, Retry: 2, RetryDue: 1},
		"high":        {Pending: 45, Active: 1, Scheduled: 4, ScheduledDue: 1, Archived: 2, RetriedTwice: true, Retry: 3},
		"default":     {Pending: 137, Scheduled: 30, Retry: 25, Archived: 23, Completed: 40, Plain: 11},
		"scheduled":   {Scheduled: 26, ScheduledDue: 4, UniqueScheduled: 3},
		"low":         {Pending: 12, Paused: true, Groups: map[string]int{"digest": 27, "a:b": 3, "größe": 1}},
		"dead_letter": {Archived: 31, RetryDue: 2, Retry: 2},
		oddQueue:      {Pending: 2, Scheduled: 1, Archived: 1, Completed: 1, Groups: map[string]int{"g {1}": 2}},
	}
	for _, p := range all {
		p.FailedTotal = p.Retry + p.Archived
		if p.RetriedTwice {
			p.FailedTotal += p.Retry
		}
		p.ProcessedTotal = p.FailedTotal + p.Completed + p.Plain
		if p.Groups == nil {
			p.Groups = map[string]int{}
		}
	}
	return all
}

// filler writes one plan after the other.
type filler struct {
	conn      *connection
	client    *asynq.Client
	inspector *asynq.Inspector
	plans     map[string]*plan
	// due is when the last overdue task has become due.
	due time.Time
}

// fill writes every kind of data into an empty Redis and prints what there is. The active tasks are left by
// a server that dies without a shutdown, as in a crash; all else is at rest.
func fill(args []string) error {
	flags, conn := newFlags("fill")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f := &filler{
		conn:      conn,
		client:    asynq.NewClient(conn.opt()),
		inspector: asynq.NewInspector(conn.opt()),
		plans:     plans(),
	}
	for _, step := range []func() error{f.past, f.present, f.future, f.waitForDue, f.pause} {
		if err := step(); err != nil {
			return err
		}
	}
	return say(map[string]any{"queues": f.plans, "odd_queue": oddQueue})
}

// past runs tasks to their end with a real server: kept and plain successes, failures, dead ones.
func (f *filler) past() error {
	for name, p := range f.plans {
		queue := asynq.Queue(name)
		for i := range p.Completed {
			o := order{Result: fmt.Sprintf("result %d", i), Pad: pad(i)}
			if err := f.add("report:make", o, queue, asynq.Retention(24*time.Hour)); err != nil {
				return err
			}
		}
		for range p.Plain {
			if err := f.add("ping", order{}, queue); err != nil {
				return err
			}
		}
		for i := range p.Retry {
			o := order{Fail: fmt.Sprintf("no luck with %d", i), Pad: pad(i)}
			if i < p.RetryDue {
				o.RetryIn = 1
			}
			if err := f.add("mail:send", o, queue, asynq.MaxRetry(5)); err != nil {
				return err
			}
		}
		for i := range p.Archived {
			// Every second one dies of exhausted retries, the others give up by themselves.
			o := order{Fail: "dead: ünrecoverable", Skip: i%2 == 1, Pad: pad(i)}
			if err := f.add("charge:card", o, queue, asynq.MaxRetry(i%2*3), asynq.Timeout(time.Minute)); err != nil {
				return err
			}
		}
	}
	server, err := f.serve()
	if err != nil {
		return err
	}
	if err := f.waitForPast(1); err != nil {
		return err
	}
	for name, p := range f.plans {
		if p.RetriedTwice {
			if _, err := f.inspector.RunAllRetryTasks(name); err != nil {
				return err
			}
		}
	}
	if err := f.waitForPast(2); err != nil {
		return err
	}
	server.Shutdown()
	f.due = time.Now().Add(2 * time.Second)
	return nil
}

// waitForPast waits until every queue has counted its attempts and holds no work, in the first or the second pass.
func (f *filler) waitForPast(pass int) error {
	return waitUntil("all tasks of the past are done", func() (bool, error) {
		for name, p := range f.plans {
			expected := p.ProcessedTotal
			if p.RetriedTwice && pass == 1 {
				expected -= p.Retry
			}
			if expected == 0 {
				continue
			}
			info, err := f.inspector.GetQueueInfo(name)
			if err != nil || info.ProcessedTotal != expected || info.Pending+info.Active > 0 {
				return false, err
			}
		}
		return true, nil
	})
}

// present leaves active tasks whose server is gone, then pending ones.
func (f *filler) present() error {
	for name, p := range f.plans {
		for i := range p.Active {
			if err := f.add("video:encode", order{Block: true, Pad: pad(i)}, asynq.Queue(name)); err != nil {
				return err
			}
		}
	}
	server, err := f.serve()
	if err != nil {
		return err
	}
	err = waitUntil("the active tasks are taken", func() (bool, error) {
		for name, p := range f.plans {
			if p.Active == 0 {
				continue
			}
			if info, err := f.inspector.GetQueueInfo(name); err != nil || info.Active != p.Active {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	server.Stop() // takes nothing more; the end of the process is its crash
	for name, p := range f.plans {
		for i := range p.Pending {
			if err := f.pending(name, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// pending adds one waiting task, each with another choice of options.
func (f *filler) pending(name string, i int) error {
	o, queue := order{Pad: pad(i)}, asynq.Queue(name)
	switch i % 5 {
	case 1:
		task := asynq.NewTaskWithHeaders("mail:send", o.payload(), map[string]string{"trace": fmt.Sprint(i), "leer": ""})
		_, err := f.client.Enqueue(task, queue)
		return err
	case 2:
		return f.add("mail:send", o, queue, asynq.TaskID(fmt.Sprintf("own:id-%d", i)), asynq.MaxRetry(0))
	case 3:
		return f.add("mail:send", o, queue, asynq.Unique(time.Hour), asynq.Timeout(0),
			asynq.Deadline(time.Now().Add(48*time.Hour)))
	case 4:
		return f.add("mail:send", o, queue, asynq.Retention(time.Hour), asynq.Timeout(90*time.Second))
	}
	return f.add("mail:send", o, queue)
}

// future adds scheduled tasks, some of them soon overdue, and groups.
func (f *filler) future() error {
	for name, p := range f.plans {
		for i := range p.Scheduled {
			options := []asynq.Option{asynq.Queue(name), asynq.ProcessIn(time.Duration(i+1) * time.Hour)}
			if i < p.ScheduledDue {
				options[1] = asynq.ProcessIn(time.Second)
				f.due = time.Now().Add(2 * time.Second)
			}
			if i >= p.Scheduled-p.UniqueScheduled {
				options = append(options, asynq.Unique(time.Hour))
			}
			if err := f.add("remind:later", order{Pad: pad(i)}, options...); err != nil {
				return err
			}
		}
		for group, size := range p.Groups {
			for i := range size {
				o := order{Pad: pad(i)}
				if err := f.add("notify", o, asynq.Queue(name), asynq.Group(group)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *filler) waitForDue() error {
	return waitUntil("the overdue tasks are due", func() (bool, error) { return time.Now().After(f.due), nil })
}

func (f *filler) pause() error {
	for name, p := range f.plans {
		if !p.Paused {
			continue
		}
		if err := f.inspector.PauseQueue(name); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) add(kind string, o order, options ...asynq.Option) error {
	_, err := f.client.Enqueue(asynq.NewTask(kind, o.payload()), options...)
	return err
}

// serve starts a server that takes tasks from all queues but forwards no delayed ones.
func (f *filler) serve() (*asynq.Server, error) {
	queues := map[string]int{}
	for name := range f.plans {
		queues[name] = 1
	}
	server := asynq.NewServer(f.conn.opt(), asynq.Config{
		Concurrency:              10,
		Queues:                   queues,
		RetryDelayFunc:           retryIn,
		TaskCheckInterval:        20 * time.Millisecond,
		DelayedTaskCheckInterval: time.Hour,
		LogLevel:                 asynq.FatalLevel,
	})
	handler := func(ctx context.Context, task *asynq.Task) error { return obey(ctx, task, nil) }
	return server, server.Start(asynq.HandlerFunc(handler))
}

// pad makes payloads of different lengths, so that a mean over some is not the mean over all.
func pad(i int) string {
	return strings.Repeat("x", i*7%150)
}
