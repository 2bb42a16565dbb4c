package ci

import "strconv"

// TopicPipeline is announced when a pipeline or one of its jobs changes.
func TopicPipeline(id int64) string { return "pipeline:" + strconv.FormatInt(id, 10) }

// TopicTrace is announced when a job's log grows or ends.
func TopicTrace(jobID int64) string { return "trace:" + strconv.FormatInt(jobID, 10) }

// TopicQueue is announced to other nodes when a job waits for a runner.
const TopicQueue = "queue"

// TopicQueueMoved is announced to other nodes when jobs wait for other runners than before.
const TopicQueueMoved = "queue-moved"

// TopicRunners is announced to other nodes when a runner was changed or removed.
const TopicRunners = "runners"

// TopicProject is announced when a pipeline of a project changes.
func TopicProject(id int64) string { return "project:" + strconv.FormatInt(id, 10) }
