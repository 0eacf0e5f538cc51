package main

import "github.com/hibiken/asynq"

// archive moves all pending tasks of a queue to the archive with one call of the Inspector.
func archive(args []string) error {
	flags, conn := newFlags("archive")
	queue := flags.String("queue", "default", "queue whose pending tasks go to the archive")
	if err := flags.Parse(args); err != nil {
		return err
	}
	inspector := asynq.NewInspector(conn.opt())
	defer inspector.Close()
	moved, err := inspector.ArchiveAllPendingTasks(*queue)
	if err != nil {
		return err
	}
	return say(map[string]int{"archived": moved})
}
