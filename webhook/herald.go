package webhook

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
)

// Bounds of what is told. Two Events a second are 7,200 an hour, of which the API server forgets each after an hour.
const (
	// noticesWaiting is how many notices wait to be told; more are dropped. A notice has about 500 bytes.
	noticesWaiting = 256
	// eventsPerSecond and eventsAtOnce bound the Events of one replica of the webhook.
	eventsPerSecond = 2
	eventsAtOnce    = 20
	// tellAgain is how long the same is not told again of one workload: a rollout of 500 pods is one Event.
	tellAgain = time.Hour
	// maxTold is how many notices are remembered for that.
	maxTold = 4096
)

// What becomes of a notice, as loadline_webhook_events_total counts it.
const (
	noticeTold     = "told"
	noticeRepeated = "repeated"
	noticeLimited  = "rate-limited"
	noticeDropped  = "queue-full"
)

// notice is what the webhook did to the pods of a workload, or deliberately did not do. It becomes an Event of the workload.
type notice struct {
	workload corev1.ObjectReference
	// kind is corev1.EventTypeNormal or EventTypeWarning, reason a CamelCase name.
	kind, reason string
	// about tells one notice from another of the same reason, such as a revision.
	about string
	text  string
}

// herald makes Events of notices, beside the requests that they come from: a request leaves its notice in a queue and never
// waits, and one goroutine takes it from there, at its own pace.
type herald struct {
	recorder events.EventRecorder
	queue    chan notice
	limiter  flowcontrol.PassiveRateLimiter
	clock    clock.PassiveClock
	metrics  *metrics
	// told is when a notice was last told. Only Start touches it.
	told map[toldKey]time.Time
}

// toldKey is what makes two notices the same.
type toldKey struct{ namespace, kind, name, reason, about string }

// newHerald returns one that tells nothing, and counts what it drops, until it is started.
func newHerald(recorder events.EventRecorder, clock clock.PassiveClock, m *metrics) *herald {
	return &herald{
		recorder: recorder, queue: make(chan notice, noticesWaiting), clock: clock, metrics: m, told: map[toldKey]time.Time{},
		limiter: flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(eventsPerSecond, eventsAtOnce, clock),
	}
}

// tell queues a notice, or drops it where the queue is full. It never waits.
func (h *herald) tell(n notice) {
	select {
	case h.queue <- n:
	default:
		h.metrics.notice(noticeDropped)
	}
}

// NeedLeaderElection says that every replica tells what it did.
func (*herald) NeedLeaderElection() bool { return false }

// Start tells queued notices until the context ends.
func (h *herald) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-h.queue:
			h.metrics.notice(h.announce(n))
		}
	}
}

// announce makes an Event of one notice, unless it was told lately, or too many were.
func (h *herald) announce(n notice) string {
	now := h.clock.Now()
	key := toldKey{n.workload.Namespace, n.workload.Kind, n.workload.Name, n.reason, n.about}
	if last, ok := h.told[key]; ok && now.Sub(last) < tellAgain {
		return noticeRepeated
	}
	if !h.limiter.TryAccept() {
		return noticeLimited
	}
	h.forget(now)
	h.told[key] = now
	h.recorder.Eventf(&n.workload, nil, n.kind, n.reason, "Admit", "%s", n.text)
	return noticeTold
}

// forget makes room for one more notice: those that may be told again anyway, else all.
func (h *herald) forget(now time.Time) {
	if len(h.told) < maxTold {
		return
	}
	for key, at := range h.told {
		if now.Sub(at) >= tellAgain {
			delete(h.told, key)
		}
	}
	if len(h.told) >= maxTold {
		clear(h.told)
	}
}
