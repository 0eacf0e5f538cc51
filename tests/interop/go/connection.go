package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// patience ends every wait in this program; a hang shows as an error that names what was awaited.
const patience = 60 * time.Second

// connection are the flags that every subcommand has.
type connection struct {
	addr    string
	db      int
	cluster bool
}

// newFlags makes the flag set of a subcommand with the connection flags in it.
func newFlags(name string) (*flag.FlagSet, *connection) {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	conn := &connection{}
	flags.StringVar(&conn.addr, "redis", "127.0.0.1:6379", "HOST:PORT of the Redis")
	flags.IntVar(&conn.db, "db", 0, "database number")
	flags.BoolVar(&conn.cluster, "cluster", false, "it is a node of a cluster")
	return flags, conn
}

// opt is the connection in asynq's own form.
func (c *connection) opt() asynq.RedisConnOpt {
	if c.cluster {
		return asynq.RedisClusterClientOpt{Addrs: []string{c.addr}}
	}
	return asynq.RedisClientOpt{Addr: c.addr, DB: c.db}
}

// raw is a plain Redis client, for the few keys that asynq's public interface does not show.
func (c *connection) raw() redis.UniversalClient {
	if c.cluster {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.addr}})
	}
	return redis.NewClient(&redis.Options{Addr: c.addr, DB: c.db})
}

// weights is a flag of the form NAME=NUMBER,NAME=NUMBER; a name may hold anything but a comma.
type weights map[string]int

func (w weights) String() string {
	parts := make([]string, 0, len(w))
	for name, number := range w {
		parts = append(parts, fmt.Sprintf("%s=%d", name, number))
	}
	return strings.Join(parts, ",")
}

// Set replaces the whole map, so that a default does not mix with what the user gives.
func (w weights) Set(text string) error {
	clear(w)
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		cut := strings.LastIndex(part, "=")
		if cut < 1 {
			return errors.New("expected NAME=NUMBER")
		}
		number, err := strconv.Atoi(part[cut+1:])
		if err != nil {
			return err
		}
		w[part[:cut]] = number
	}
	return nil
}

func (w weights) total() int {
	sum := 0
	for _, number := range w {
		sum += number
	}
	return sum
}

// waitUntil asks a condition until it holds.
func waitUntil(what string, condition func() (bool, error)) error {
	end := time.Now().Add(patience)
	for {
		ok, err := condition()
		if err != nil {
			return fmt.Errorf("while waiting until %s: %w", what, err)
		}
		if ok {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s in vain until %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// say prints one JSON document on standard output.
func say(document any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
