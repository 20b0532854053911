package llm

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// pace says whether the model may be asked now. It protects the server, and whoever pays for it.
type pace struct {
	perHour  int           // questions in any 60 minutes
	failures int           // failures in a row after which the model rests
	rest     time.Duration // for so long

	mu     sync.Mutex
	asked  []time.Time // in the last hour, oldest first
	inARow int
	until  time.Time // of the rest
}

// resting returns an error while the model rests.
func (p *pace) resting(now time.Time) *Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.until) {
		return failed(Resting, "%d questions in a row failed, it is asked again at %s", p.inARow, p.until.UTC().Format(time.RFC3339))
	}
	return nil
}

// ended notes how a piece of advice ended, and tells whether the model rests now. After a rest one more failure is enough
// for the next one. What is the caller's doing does not count, nor does a question that was not asked.
//
//	answers ──failures in a row──▶ rests ──after a while──▶ one try ──answers──▶ …
//	                                 ▲────────fails────────────┘
func (p *pace) ended(o Outcome, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o {
	case OK:
		p.inARow, p.until = 0, time.Time{}
	case Canceled, BadQuestion, NothingToAsk, TooLong, BudgetSpent, Resting:
	default:
		p.inARow++
		if p.inARow >= p.failures {
			p.until = now.Add(p.rest)
		}
	}
	return now.Before(p.until)
}

// spend takes one question from the hour's budget.
func (p *pace) spend(now time.Time) *Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.asked) > 0 && now.Sub(p.asked[0]) >= time.Hour {
		p.asked = p.asked[1:]
	}
	if len(p.asked) >= p.perHour {
		return failed(BudgetSpent, "all %d questions of the hour are asked, the next one at %s",
			p.perHour, p.asked[0].Add(time.Hour).UTC().Format(time.RFC3339))
	}
	p.asked = append(p.asked, now)
	return nil
}

// withDeadline is context.WithTimeout on the given clock. The cause of the end is context.DeadlineExceeded.
func withDeadline(ctx context.Context, c clock.Clock, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := c.NewTimer(after)
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C():
			cancel(context.DeadlineExceeded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// wait waits on the given clock, or until the context ends.
func wait(ctx context.Context, c clock.Clock, d time.Duration) *Error {
	timer := c.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return fromContext(ctx)
	}
}
