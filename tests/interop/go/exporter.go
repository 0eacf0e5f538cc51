package main

import (
	"fmt"
	"net"
	"net/http"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynq/x/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// exporter serves upstream's collector the way upstream's own exporter does: a pedantic registry with the
// queue, process and Go collectors behind the default handler. It prints the address it listens on.
func exporter(args []string) error {
	flags, conn := newFlags("exporter")
	listen := flags.String("listen", "127.0.0.1:0", "HOST:PORT to serve /metrics on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(
		metrics.NewQueueMetricsCollector(asynq.NewInspector(conn.opt())),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(),
	)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	fmt.Println(listener.Addr())
	return http.Serve(listener, mux)
}
