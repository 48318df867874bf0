package job

import (
	"strconv"

	"stackforge/hashid"
	"stackforge/nodeid"
)

// Kind names jobs in global ids.
const Kind = "Job"

// NodeID returns the opaque, global id.
func (j Job) NodeID() string { return nodeid.Encode(Kind, strconv.FormatInt(j.ID, 10)) }

// Hashid returns the short public form of the id, the same as encode_job_id in SQL.
func (j Job) Hashid() string { return hashid.Job(j.ID) }

// State is the status as GraphQL tells it: a cancelled job is stored as failed with a reason, and has a state of its own here.
type State string

// The states.
const (
	StatePending   State = "PENDING"
	StateRunning   State = "RUNNING"
	StateDone      State = "DONE"
	StateFailed    State = "FAILED"
	StateCancelled State = "CANCELLED"
)

// StateOf returns the state of a stored status and reason.
func StateOf(status Status, reason *string) State {
	switch status {
	case Running:
		return StateRunning
	case Done:
		return StateDone
	case Failed:
		if reason != nil && *reason == ReasonCancelled {
			return StateCancelled
		}
		return StateFailed
	case Pending:
	}
	return StatePending
}

// State returns the job's state.
func (j Job) State() State { return StateOf(j.Status, j.Reason) }

// FailureReason says why a job has failed for good, as stored: exhausted, permanent, no_handler, cancelled or crashed.
type FailureReason string

// The reasons.
const (
	Exhausted FailureReason = ReasonExhausted
	Permanent FailureReason = ReasonPermanent
	NoHandler FailureReason = ReasonNoHandler
	Cancelled FailureReason = ReasonCancelled
	Crashed   FailureReason = ReasonCrashed
)

// FailureReason returns why the job has failed for good, nil unless it has.
func (j Job) FailureReason() *FailureReason {
	if j.Status != Failed || j.Reason == nil {
		return nil
	}
	r := FailureReason(*j.Reason)
	return &r
}

// cond is the stored form of a state, as a condition.
func (s State) cond() string {
	switch s {
	case StatePending:
		return "j.status = 'pending'"
	case StateRunning:
		return "j.status = 'running'"
	case StateDone:
		return "j.status = 'done'"
	case StateCancelled:
		return "j.status = 'failed' AND j.reason IS NOT DISTINCT FROM 'cancelled'"
	case StateFailed:
	}
	return "j.status = 'failed' AND j.reason IS DISTINCT FROM 'cancelled'"
}
