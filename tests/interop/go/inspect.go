package main

import (
	"fmt"
	"sort"
	"time"

	"github.com/hibiken/asynq"
)

const (
	// everything is a page that no test fills.
	everything = 1 << 30
	// historyDays is how many days of the daily counters are printed, today first.
	historyDays = 7
)

// All times are Unix nanoseconds, null where Go has its zero time; durations are nanoseconds too.
type (
	taskJSON struct {
		ID            string            `json:"id"`
		Queue         string            `json:"queue"`
		Type          string            `json:"type"`
		Payload       []byte            `json:"payload"`
		Headers       map[string]string `json:"headers"`
		State         string            `json:"state"`
		MaxRetry      int               `json:"max_retry"`
		Retried       int               `json:"retried"`
		LastErr       string            `json:"last_err"`
		LastFailedAt  *int64            `json:"last_failed_at"`
		Timeout       time.Duration     `json:"timeout"`
		Deadline      *int64            `json:"deadline"`
		Group         string            `json:"group"`
		NextProcessAt *int64            `json:"next_process_at"`
		IsOrphaned    bool              `json:"is_orphaned"`
		Retention     time.Duration     `json:"retention"`
		CompletedAt   *int64            `json:"completed_at"`
		Result        []byte            `json:"result"`
	}
	infoJSON struct {
		MemoryUsage    int64         `json:"memory_usage"`
		Latency        time.Duration `json:"latency"`
		Size           int           `json:"size"`
		Groups         int           `json:"groups"`
		Pending        int           `json:"pending"`
		Active         int           `json:"active"`
		Scheduled      int           `json:"scheduled"`
		Retry          int           `json:"retry"`
		Archived       int           `json:"archived"`
		Completed      int           `json:"completed"`
		Aggregating    int           `json:"aggregating"`
		Processed      int           `json:"processed"`
		Failed         int           `json:"failed"`
		ProcessedTotal int           `json:"processed_total"`
		FailedTotal    int           `json:"failed_total"`
		Paused         bool          `json:"paused"`
		Timestamp      *int64        `json:"timestamp"`
	}
	dayJSON struct {
		Date      string `json:"date"`
		Processed int    `json:"processed"`
		Failed    int    `json:"failed"`
	}
	// queueJSON has an error instead of info where the Inspector refuses.
	queueJSON struct {
		Error   string                `json:"error,omitempty"`
		Info    *infoJSON             `json:"info"`
		Groups  map[string]int        `json:"groups"`
		History []dayJSON             `json:"history"`
		Tasks   map[string][]taskJSON `json:"tasks"`
	}
	workerJSON struct {
		TaskID   string `json:"task_id"`
		TaskType string `json:"task_type"`
		Payload  []byte `json:"payload"`
		Queue    string `json:"queue"`
		Started  *int64 `json:"started"`
		Deadline *int64 `json:"deadline"`
	}
	serverJSON struct {
		ID             string         `json:"id"`
		Host           string         `json:"host"`
		PID            int            `json:"pid"`
		Concurrency    int            `json:"concurrency"`
		Queues         map[string]int `json:"queues"`
		StrictPriority bool           `json:"strict_priority"`
		Started        *int64         `json:"started"`
		Status         string         `json:"status"`
		Workers        []workerJSON   `json:"workers"`
	}
	eventJSON struct {
		TaskID     string `json:"task_id"`
		EnqueuedAt *int64 `json:"enqueued_at"`
	}
	entryJSON struct {
		ID      string      `json:"id"`
		Spec    string      `json:"spec"`
		Type    string      `json:"type"`
		Payload []byte      `json:"payload"`
		Options []string    `json:"options"`
		Next    *int64      `json:"next"`
		Prev    *int64      `json:"prev"`
		Events  []eventJSON `json:"events"`
	}
	reportJSON struct {
		Queues  map[string]*queueJSON `json:"queues"`
		Servers []serverJSON          `json:"servers"`
		Entries []entryJSON           `json:"scheduler_entries"`
	}
)

// inspect prints everything that the Inspector tells.
func inspect(args []string) error {
	flags, conn := newFlags("inspect")
	if err := flags.Parse(args); err != nil {
		return err
	}
	inspector := asynq.NewInspector(conn.opt())
	defer inspector.Close()
	report := reportJSON{Queues: map[string]*queueJSON{}, Servers: []serverJSON{}, Entries: []entryJSON{}}
	names, err := inspector.Queues()
	if err != nil {
		return err
	}
	for _, name := range names {
		queue := &queueJSON{}
		if err := queue.read(inspector, name); err != nil {
			queue.Error = err.Error()
		}
		report.Queues[name] = queue
	}
	if err := report.readServers(inspector); err != nil {
		return err
	}
	if err := report.readEntries(inspector); err != nil {
		return err
	}
	return say(report)
}

func (q *queueJSON) read(inspector *asynq.Inspector, name string) error {
	q.Groups, q.Tasks = map[string]int{}, map[string][]taskJSON{}
	groups, err := inspector.Groups(name)
	if err != nil {
		return err
	}
	for _, group := range groups {
		q.Groups[group.Group] = group.Size
	}
	days, err := inspector.History(name, historyDays)
	if err != nil {
		return err
	}
	for _, day := range days {
		q.History = append(q.History, dayJSON{day.Date.UTC().Format(time.DateOnly), day.Processed, day.Failed})
	}
	if err := q.readTasks(inspector, name); err != nil {
		return err
	}
	info, err := inspector.GetQueueInfo(name)
	if err != nil {
		return err
	}
	q.Info = &infoJSON{
		MemoryUsage:    info.MemoryUsage,
		Latency:        info.Latency,
		Size:           info.Size,
		Groups:         info.Groups,
		Pending:        info.Pending,
		Active:         info.Active,
		Scheduled:      info.Scheduled,
		Retry:          info.Retry,
		Archived:       info.Archived,
		Completed:      info.Completed,
		Aggregating:    info.Aggregating,
		Processed:      info.Processed,
		Failed:         info.Failed,
		ProcessedTotal: info.ProcessedTotal,
		FailedTotal:    info.FailedTotal,
		Paused:         info.Paused,
		Timestamp:      unixNano(info.Timestamp),
	}
	return nil
}

func (q *queueJSON) readTasks(inspector *asynq.Inspector, name string) error {
	lists := map[string]func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		"pending":   inspector.ListPendingTasks,
		"active":    inspector.ListActiveTasks,
		"scheduled": inspector.ListScheduledTasks,
		"retry":     inspector.ListRetryTasks,
		"archived":  inspector.ListArchivedTasks,
		"completed": inspector.ListCompletedTasks,
	}
	for state, list := range lists {
		tasks, err := list(name, asynq.PageSize(everything))
		if err != nil {
			return fmt.Errorf("%s: %w", state, err)
		}
		q.Tasks[state] = tasksOf(tasks)
	}
	q.Tasks["aggregating"] = []taskJSON{}
	names := make([]string, 0, len(q.Groups))
	for group := range q.Groups {
		names = append(names, group)
	}
	sort.Strings(names)
	for _, group := range names {
		tasks, err := inspector.ListAggregatingTasks(name, group, asynq.PageSize(everything))
		if err != nil {
			return fmt.Errorf("aggregating: %w", err)
		}
		q.Tasks["aggregating"] = append(q.Tasks["aggregating"], tasksOf(tasks)...)
	}
	return nil
}

func (r *reportJSON) readServers(inspector *asynq.Inspector) error {
	servers, err := inspector.Servers()
	if err != nil {
		return err
	}
	for _, server := range servers {
		workers := []workerJSON{}
		for _, worker := range server.ActiveWorkers {
			workers = append(workers, workerJSON{
				TaskID:   worker.TaskID,
				TaskType: worker.TaskType,
				Payload:  worker.TaskPayload,
				Queue:    worker.Queue,
				Started:  unixNano(worker.Started),
				Deadline: unixNano(worker.Deadline),
			})
		}
		sort.Slice(workers, func(a, b int) bool { return workers[a].TaskID < workers[b].TaskID })
		r.Servers = append(r.Servers, serverJSON{
			ID:             server.ID,
			Host:           server.Host,
			PID:            server.PID,
			Concurrency:    server.Concurrency,
			Queues:         server.Queues,
			StrictPriority: server.StrictPriority,
			Started:        unixNano(server.Started),
			Status:         server.Status,
			Workers:        workers,
		})
	}
	sort.Slice(r.Servers, func(a, b int) bool { return r.Servers[a].ID < r.Servers[b].ID })
	return nil
}

func (r *reportJSON) readEntries(inspector *asynq.Inspector) error {
	entries, err := inspector.SchedulerEntries()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		options := []string{}
		for _, option := range entry.Opts {
			options = append(options, option.String())
		}
		events, err := inspector.ListSchedulerEnqueueEvents(entry.ID, asynq.PageSize(everything))
		if err != nil {
			return err
		}
		list := []eventJSON{}
		for _, event := range events {
			list = append(list, eventJSON{event.TaskID, unixNano(event.EnqueuedAt)})
		}
		r.Entries = append(r.Entries, entryJSON{
			ID:      entry.ID,
			Spec:    entry.Spec,
			Type:    entry.Task.Type(),
			Payload: entry.Task.Payload(),
			Options: options,
			Next:    unixNano(entry.Next),
			Prev:    unixNano(entry.Prev),
			Events:  list,
		})
	}
	sort.Slice(r.Entries, func(a, b int) bool { return r.Entries[a].ID < r.Entries[b].ID })
	return nil
}

func tasksOf(infos []*asynq.TaskInfo) []taskJSON {
	tasks := []taskJSON{}
	for _, info := range infos {
		tasks = append(tasks, taskOf(info))
	}
	return tasks
}

func taskOf(info *asynq.TaskInfo) taskJSON {
	return taskJSON{
		ID:            info.ID,
		Queue:         info.Queue,
		Type:          info.Type,
		Payload:       info.Payload,
		Headers:       info.Headers,
		State:         info.State.String(),
		MaxRetry:      info.MaxRetry,
		Retried:       info.Retried,
		LastErr:       info.LastErr,
		LastFailedAt:  unixNano(info.LastFailedAt),
		Timeout:       info.Timeout,
		Deadline:      unixNano(info.Deadline),
		Group:         info.Group,
		NextProcessAt: unixNano(info.NextProcessAt),
		IsOrphaned:    info.IsOrphaned,
		Retention:     info.Retention,
		CompletedAt:   unixNano(info.CompletedAt),
		Result:        info.Result,
	}
}

func unixNano(moment time.Time) *int64 {
	if moment.IsZero() {
		return nil
	}
	nanoseconds := moment.UnixNano()
	return &nanoseconds
}
