package main

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/hibiken/asynq"
)

// ask describes one task to enqueue; what is null is not given to the client at all.
type ask struct {
	Type string `json:"type"`
	// base64; null is Go's nil payload, which makes another uniqueness lock than an empty one.
	Payload    []byte            `json:"payload"`
	Headers    map[string]string `json:"headers"`
	Queue      *string           `json:"queue"`
	TaskID     *string           `json:"task_id"`
	MaxRetry   *int              `json:"max_retry"`
	Timeout    *float64          `json:"timeout_seconds"`
	Deadline   *int64            `json:"deadline"`
	Unique     *float64          `json:"unique_seconds"`
	ProcessAt  *int64            `json:"process_at"`
	ProcessIn  *float64          `json:"process_in_seconds"`
	Retention  *float64          `json:"retention_seconds"`
	Group      *string           `json:"group"`
	Repetition int               `json:"times"` // how often to enqueue it, 1 by default
}

// answer is either the task as Go describes it or the name of the error.
type answer struct {
	Task    *taskJSON `json:"task,omitempty"`
	Error   string    `json:"error,omitempty"`
	Message string    `json:"message,omitempty"`
}

func (a ask) options() []asynq.Option {
	var options []asynq.Option
	if a.Queue != nil {
		options = append(options, asynq.Queue(*a.Queue))
	}
	if a.TaskID != nil {
		options = append(options, asynq.TaskID(*a.TaskID))
	}
	if a.MaxRetry != nil {
		options = append(options, asynq.MaxRetry(*a.MaxRetry))
	}
	if a.Timeout != nil {
		options = append(options, asynq.Timeout(duration(*a.Timeout)))
	}
	if a.Deadline != nil {
		options = append(options, asynq.Deadline(time.Unix(*a.Deadline, 0)))
	}
	if a.Unique != nil {
		options = append(options, asynq.Unique(duration(*a.Unique)))
	}
	if a.ProcessAt != nil {
		options = append(options, asynq.ProcessAt(time.Unix(*a.ProcessAt, 0)))
	}
	if a.ProcessIn != nil {
		options = append(options, asynq.ProcessIn(duration(*a.ProcessIn)))
	}
	if a.Retention != nil {
		options = append(options, asynq.Retention(duration(*a.Retention)))
	}
	if a.Group != nil {
		options = append(options, asynq.Group(*a.Group))
	}
	return options
}

func (a ask) task() *asynq.Task {
	if a.Headers == nil {
		return asynq.NewTask(a.Type, a.Payload)
	}
	return asynq.NewTaskWithHeaders(a.Type, a.Payload, a.Headers)
}

// enqueue reads a JSON list of asks from standard input and prints the list of answers.
func enqueue(args []string) error {
	flags, conn := newFlags("enqueue")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var asks []ask
	if err := json.NewDecoder(os.Stdin).Decode(&asks); err != nil {
		return err
	}
	client := asynq.NewClient(conn.opt())
	defer client.Close()
	answers := []answer{}
	for _, a := range asks {
		for range max(a.Repetition, 1) {
			info, err := client.Enqueue(a.task(), a.options()...)
			answers = append(answers, answerOf(info, err))
		}
	}
	return say(answers)
}

func answerOf(info *asynq.TaskInfo, err error) answer {
	switch {
	case err == nil:
		task := taskOf(info)
		return answer{Task: &task}
	case errors.Is(err, asynq.ErrDuplicateTask):
		return answer{Error: "ErrDuplicateTask", Message: err.Error()}
	case errors.Is(err, asynq.ErrTaskIDConflict):
		return answer{Error: "ErrTaskIDConflict", Message: err.Error()}
	}
	return answer{Error: "other", Message: err.Error()}
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}
