package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

// order is what the payload of a test task tells its handler to do. A payload that is no order succeeds.
type order struct {
	Fail    string `json:"fail,omitempty"`     // fail with this text
	Times   int    `json:"times,omitempty"`    // fail so many times only, then succeed
	Sleep   int    `json:"sleep,omitempty"`    // milliseconds to take
	Skip    bool   `json:"skip,omitempty"`     // when failing, give up all further retries
	Panic   bool   `json:"panic,omitempty"`    // panic instead of returning
	Block   bool   `json:"block,omitempty"`    // run until the process is told to end
	Result  string `json:"result,omitempty"`   // write this result
	RetryIn int    `json:"retry_in,omitempty"` // seconds until the next attempt, an hour by default
	Pad     string `json:"pad,omitempty"`      // makes the payload longer
}

func (o order) payload() []byte {
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return data
}

func orderOf(task *asynq.Task) order {
	var o order
	if json.Unmarshal(task.Payload(), &o) != nil {
		return order{}
	}
	return o
}

// obey carries out the order of a task; blocked ones wait for release.
func obey(ctx context.Context, task *asynq.Task, release <-chan struct{}) error {
	o := orderOf(task)
	if o.Block {
		select {
		case <-release:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if o.Sleep > 0 {
		select {
		case <-time.After(time.Duration(o.Sleep) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if o.Result != "" {
		if _, err := task.ResultWriter().Write([]byte(o.Result)); err != nil {
			return err
		}
	}
	if retried, _ := asynq.GetRetryCount(ctx); o.Times > 0 && retried >= o.Times {
		return nil
	}
	switch {
	case o.Panic:
		panic("as ordered")
	case o.Skip:
		return fmt.Errorf("%s: %w", o.Fail, asynq.SkipRetry)
	case o.Fail != "":
		return fmt.Errorf("%s", o.Fail)
	}
	return nil
}

// retryIn is the delay before the next attempt that the order of a task asks for.
func retryIn(_ int, _ error, task *asynq.Task) time.Duration {
	if seconds := orderOf(task).RetryIn; seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return time.Hour
}
