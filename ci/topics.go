package ci

import "strconv"

// TopicPipeline is announced when a pipeline or one of its jobs changes.
func TopicPipeline(id int64) string { return "pipeline:" + strconv.FormatInt(id, 10) }

// TopicTrace is announced when a job's log grows or ends.
func TopicTrace(jobID int64) string { return "trace:" + strconv.FormatInt(jobID, 10) }
