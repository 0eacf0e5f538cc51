// Command asynq-interop is the Go side of the interoperability tests: the real asynq client, server,
// scheduler, inspector and upstream's metrics collector, driven from Python through JSON.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// commands are the subcommands by name; each one parses its own flags.
var commands = map[string]func(args []string) error{
	"archive":    archive,
	"cancel":     cancel,
	"enqueue":    enqueue,
	"exporter":   exporter,
	"fill":       fill,
	"inspect":    inspect,
	"live":       live,
	"measured":   measured,
	"serve":      serve,
	"throughput": throughput,
	"work":       work,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		names := make([]string, 0, len(commands))
		for name := range commands {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "usage: asynq-interop %s [flags]\n", strings.Join(names, "|"))
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "asynq-interop %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
