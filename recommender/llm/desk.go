package llm

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/recommender/advice"
)

// Adviser answers with checked advice, however long that takes. Advisor is one.
type Adviser interface {
	Advise(ctx context.Context, e advice.Evidence) (advice.Advice, error)
	Model() string
}

// Desk keeps the model's advice for each workload and asks for what is missing in the background. Nobody waits at it:
// Lookup returns at once what is known, and Notify is called when there is more.
//
//	Lookup ──unknown──▶ queue ──Run, one at a time──▶ Adviser ──▶ kept ──▶ Notify ──▶ Lookup
//
// An answer counts for the evidence that it was asked about, by hash, and for no other. Because the caller stores the
// advice it was given and shows it again, it also survives a restart.
type Desk struct {
	options DeskOptions

	mu      sync.Mutex
	entries map[string]*entry
	queue   []string      // Keys of the entries with a question, in the order of asking.
	wake    chan struct{} // Holds one token while there may be something to do.
}

// DeskOptions say who is asked and who is told.
type DeskOptions struct {
	Adviser Adviser
	// Notify is called, from Run, when there is an answer for the key. It must not block.
	Notify func(key string)
	// AskAgain after so long where the moment was at fault: no server, no budget. Zero means 5 minutes. Where the question
	// or the model is at fault, it is not asked again before the evidence changes.
	AskAgain time.Duration
	// Metrics may be nil.
	Metrics *Metrics
	// Clock may be nil for the system's.
	Clock clock.PassiveClock
}

// entry is what is known for one key.
type entry struct {
	hash     string
	evidence *advice.Evidence // Of the question that waits or is being asked; nil otherwise.
	queued   bool
	advice   *advice.Advice
	failed   string    // Why there is no answer, for people; empty while there may be one.
	again    time.Time // When a failed question may be asked again; zero means never.
}

// mayAsk tells whether what failed may be asked again.
func (n *entry) mayAsk(now time.Time) bool { return !n.again.IsZero() && !now.Before(n.again) }

// NewDesk returns a desk. It asks nothing before Start.
func NewDesk(o DeskOptions) *Desk {
	if o.AskAgain == 0 {
		o.AskAgain = 5 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Desk{options: o, entries: map[string]*entry{}, wake: make(chan struct{}, 1)}
}

const unanswered = "the model has not answered yet"

// Lookup returns the model's advice on the evidence, checked against it, and an empty reason; or a reason why there is none,
// one sentence for people. The advice that the caller stored earlier, if it is the model's and on the same evidence, is as
// good as an answer. Unless a question about this very evidence waits or has failed, it is put into the queue, in the place
// of an older one for the same key.
func (d *Desk) Lookup(key string, e advice.Evidence, stored advice.Advice) (a advice.Advice, reason string) {
	hash := advice.Hash(e)
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.entries[key]
	if known == nil || !advice.SameEvidence(known.hash, hash) {
		queued := known != nil && known.queued
		known = d.fresh(hash, e, stored)
		known.queued = queued
		d.entries[key] = known
	}
	if known.advice != nil {
		return advice.Check(*known.advice, e), ""
	}
	if known.failed != "" && !known.mayAsk(d.options.Clock.Now()) {
		return advice.Advice{}, known.failed
	}
	if known.evidence == nil {
		asked := e // A copy of its own, so that only what is asked costs one.
		known.evidence = &asked
		d.enqueue(key, known)
	}
	return advice.Advice{}, unanswered
}

// fresh is what is known of evidence that was not asked about yet.
func (d *Desk) fresh(hash string, e advice.Evidence, stored advice.Advice) *entry {
	switch {
	case stored.Source == advice.SourceModel && stored.Model == d.options.Adviser.Model() && advice.SameEvidence(stored.InputHash, hash):
		return &entry{hash: stored.InputHash, advice: &stored}
	case !advice.WorthAsking(e):
		return &entry{hash: hash, failed: nothingToAsk().Error()}
	}
	return &entry{hash: hash}
}

func (d *Desk) enqueue(key string, known *entry) {
	if !known.queued {
		known.queued = true
		d.queue = append(d.queue, key)
		d.options.Metrics.queued(len(d.queue))
	}
	select {
	case d.wake <- struct{}{}:
	default: // It is awake already.
	}
}

// Forget drops what is known for a key whose workload is gone.
func (d *Desk) Forget(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.entries, key)
}

// Start asks what is in the queue, one question after the other, until the context ends.
func (d *Desk) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		key, asked := d.next()
		if asked == nil {
			select {
			case <-d.wake:
			case <-ctx.Done():
			}
			continue
		}
		a, err := d.options.Adviser.Advise(ctx, *asked.evidence)
		if d.settle(key, asked, a, err) && d.options.Notify != nil {
			d.options.Notify(key)
		}
	}
	return nil
}

// next takes the next question from the queue. A key that was forgotten, or answered from what was stored, has none.
func (d *Desk) next() (string, *entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) > 0 {
		key := d.queue[0]
		d.queue = d.queue[1:]
		d.options.Metrics.queued(len(d.queue))
		known := d.entries[key]
		if known == nil {
			continue
		}
		known.queued = false
		if known.evidence != nil {
			return key, known
		}
	}
	return "", nil
}

// settle notes how a question ended and tells whether there is advice now. An answer to what is no longer the question is
// dropped.
func (d *Desk) settle(key string, asked *entry, a advice.Advice, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries[key] != asked {
		return false
	}
	asked.evidence = nil
	if err == nil {
		asked.advice = &a
		return true
	}
	failure := asError(err)
	asked.failed, asked.again = failure.Error(), time.Time{}
	if !failure.Outcome.final() {
		asked.again = d.options.Clock.Now().Add(d.options.AskAgain)
	}
	return false
}
