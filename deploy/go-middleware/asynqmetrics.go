// Package asynqmetrics measures the tasks of a Go worker of asynq: how long they take, how long they waited, how
// they ended. The families, labels and buckets are those of `asynq-exporter worker`, so one dashboard shows both.
// Copy this file into your program, or use it as a module; docs/go-workers.md says how.
package asynqmetrics

import (
	"context"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
)

// ReadyAt is the header in which a task says since when it may run, in Unix nanoseconds. asynq keeps that moment
// in Redis only until a worker takes the task, so it has to travel with the task.
const ReadyAt = "Asynq-Ready-At"

const (
	maxTypes          = 100
	maxTypeCharacters = 100
	other             = "other"
)

var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800}

// NewTask is asynq.NewTask for a task that may run from readyAt on: now, or the moment given to asynq.ProcessAt.
// Without it a task is measured all the same, but for its wait.
func NewTask(typename string, payload []byte, readyAt time.Time, opts ...asynq.Option) *asynq.Task {
	headers := map[string]string{ReadyAt: strconv.FormatInt(readyAt.UnixNano(), 10)}
	return asynq.NewTaskWithHeaders(typename, payload, headers, opts...)
}

// Metrics are the families of one process. Register it with a prometheus.Registerer, and give Middleware to
// the mux before all other middlewares.
type Metrics struct {
	duration *prometheus.HistogramVec
	wait     *prometheus.HistogramVec
	attempts *prometheus.CounterVec

	mutex sync.Mutex
	types map[string]struct{}
}

// New makes the families, without samples.
func New() *Metrics {
	histogram := func(name, help string) *prometheus.HistogramVec {
		opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}
		return prometheus.NewHistogramVec(opts, []string{"type"})
	}
	return &Metrics{
		duration: histogram("asynq_task_duration_seconds", "How long an attempt at a task took."),
		wait: histogram(
			"asynq_task_wait_seconds", "How long a task was ready to run before a worker took it.",
		),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "asynq_task_attempts_total",
			Help: "Attempts at tasks by outcome: succeeded or failed.",
		}, []string{"type", "outcome"}),
		types: map[string]struct{}{},
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	m.duration.Describe(descs)
	m.wait.Describe(descs)
	m.attempts.Describe(descs)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.duration.Collect(metrics)
	m.wait.Collect(metrics)
	m.attempts.Collect(metrics)
}

// Middleware measures a handler. An attempt fails when the handler returns an error, panics, or returns after its
// context has ended: asynq has given it up by then.
func (m *Metrics) Middleware(next asynq.Handler) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		start := time.Now()
		label := m.label(task.Type())
		if seconds, ok := waited(ctx, task, start); ok {
			m.wait.WithLabelValues(label).Observe(seconds)
		}
		// Not recovered: asynq notes in the task where a panic came from.
		succeeded := false
		defer func() {
			m.duration.WithLabelValues(label).Observe(time.Since(start).Seconds())
			m.count(label, succeeded)
		}()
		err := next.ProcessTask(ctx, task)
		succeeded = err == nil && ctx.Err() == nil
		return err
	})
}

func (m *Metrics) count(label string, succeeded bool) {
	if succeeded {
		m.attempts.WithLabelValues(label, "succeeded").Inc()
	} else {
		m.attempts.WithLabelValues(label, "failed").Inc()
	}
}

// label bounds the types: they are free text, and each one is a few dozen series. A new type has all its series at
// once, so that rates see the first failure too.
func (m *Metrics) label(typename string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if _, known := m.types[typename]; known {
		return typename
	}
	if len(m.types) >= maxTypes || utf8.RuneCountInString(typename) > maxTypeCharacters {
		typename = other
	}
	if _, known := m.types[typename]; !known {
		m.types[typename] = struct{}{}
		m.duration.WithLabelValues(typename)
		m.wait.WithLabelValues(typename)
		m.attempts.WithLabelValues(typename, "succeeded")
		m.attempts.WithLabelValues(typename, "failed")
	}
	return typename
}

// waited is how long a task was ready, if it says so. Of a retry nobody knows: only its first moment is written.
func waited(ctx context.Context, task *asynq.Task, now time.Time) (float64, bool) {
	retried, ok := asynq.GetRetryCount(ctx)
	if !ok || retried > 0 {
		return 0, false
	}
	at, err := strconv.ParseInt(task.Headers()[ReadyAt], 10, 64)
	if err != nil {
		return 0, false
	}
	// Clocks of machines differ; less than nothing is nothing.
	return max(now.Sub(time.Unix(0, at)).Seconds(), 0), true
}
