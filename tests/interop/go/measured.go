package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"asynqmetrics"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// measured runs a real server with the middleware of docs/go-workers.md until standard input ends. It prints the
// address of its metrics. With -enqueue it first makes tasks of its own, stamped with the moment they are ready.
func measured(args []string) error {
	flags, conn := newFlags("measured")
	number := flags.Int("enqueue", 0, "stamped tasks of the type stamped to enqueue first")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client := asynq.NewClient(conn.opt())
	for range *number {
		if _, err := client.Enqueue(asynqmetrics.NewTask("stamped", nil, time.Now().Add(-time.Second))); err != nil {
			return err
		}
	}
	if err := client.Close(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}

	metrics := asynqmetrics.New()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	handler := metrics.Middleware(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		return obey(ctx, task, nil)
	}))
	config := asynq.Config{
		Concurrency:       4,
		RetryDelayFunc:    retryIn,
		TaskCheckInterval: 100 * time.Millisecond,
		LogLevel:          asynq.FatalLevel,
	}
	server := asynq.NewServer(conn.opt(), config)
	if err := server.Start(handler); err != nil {
		return err
	}
	defer server.Shutdown()
	fmt.Println(listener.Addr())
	go func() { _ = http.Serve(listener, nil) }()
	waitForEnd()
	return nil
}
