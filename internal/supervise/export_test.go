package supervise

import "time"

// The ways to catch signals; see catch.
var (
	Handle = handle
	Notify = notify
)

// SetLimits has the next Run wait for as long as a test can.
func (s *Supervisor) SetLimits(rest, hold, read time.Duration) {
	s.limits = limits{rest: rest, hold: hold, read: read}
}

// Drained waits for pumps that are nothing but channels.
func Drained(done []chan struct{}, progress chan struct{}, read time.Duration) bool {
	c := &child{progress: progress, limits: limits{read: read}}
	for _, ended := range done {
		c.pumps = append(c.pumps, &pump{done: ended})
	}
	return c.drained()
}
