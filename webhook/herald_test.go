package webhook

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestARolloutIsOneEventOfItsWorkload(t *testing.T) {
	rec := recommend("Deployment", "checkout", container("app", "250m", "512Mi"))
	w := newWorld(t, rec)
	for range 50 {
		w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1"}}`)))
	}
	want := []string{"Normal SizesInjected new pods get revision aaaaaaaa: app: cpu request 1 → 250m, memory request none → 512Mi"}
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	rec.Status.Applicable.Revision = "bbbbbbbb"
	w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"1"}}`)))
	if told := w.told(); len(told) != 1 || !strings.Contains(told[0], "bbbbbbbb") {
		t.Errorf("of the next revision: %v", told)
	}
}

func TestAPodThatIsLeftAloneOnPurposeIsTold(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	pod := strings.Replace(checkoutPod(`{}`), `"schedulingWish"`, `"resources":{"requests":{"cpu":"2"}},"schedulingWish"`, 1)
	w.send(t, PathMutatePods, createPod("shop", pod))
	if told := w.told(); len(told) != 1 || !strings.HasPrefix(told[0], "Warning PodLeftAlone") || !strings.Contains(told[0], "spec.resources") {
		t.Errorf("told %v", told)
	}
}

func TestADryRunIsNotTold(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi")))
	req := createPod("shop", checkoutPod(`{}`))
	req.DryRun = new(true)
	w.send(t, PathMutatePods, req)
	if told := w.told(); len(told) != 0 {
		t.Errorf("told %v", told)
	}
}

// slowRecorder is an API server that does not answer until it is released.
type slowRecorder struct {
	events.FakeRecorder
	released chan struct{}
}

func (s *slowRecorder) Eventf(_, _ runtime.Object, _, _, _, _ string, _ ...any) { <-s.released }

func TestRequestsDoNotWaitForEvents(t *testing.T) {
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowRecorder{released: make(chan struct{})}
	h := newHerald(slow, clocktesting.NewFakePassiveClock(noon), m)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- h.Start(ctx) }()
	for range 10 * noticesWaiting { // none of which may wait
		h.tell(notice{reason: "R"})
	}
	if dropped := testutil.ToFloat64(m.events.WithLabelValues(noticeDropped)); dropped < 8*noticesWaiting {
		t.Errorf("%v dropped, want all that find no room in the queue", dropped)
	}
	close(slow.released)
	g := NewWithT(t)
	g.Eventually(func() int { return len(h.queue) }).Should(BeZero())
	stop()
	g.Eventually(stopped).Should(Receive(BeNil()))
}

func TestEventsAreLimitedAndRepeatedOnlyAfterAnHour(t *testing.T) {
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	now := clocktesting.NewFakePassiveClock(noon)
	h := newHerald(events.NewFakeRecorder(100), now, m)
	of := func(name string) notice {
		return notice{workload: corev1.ObjectReference{Name: name}, kind: "Normal", reason: "R"}
	}
	for i := range eventsAtOnce {
		if got := h.announce(of(strings.Repeat("x", i))); got != noticeTold {
			t.Fatalf("notice %d: %s", i, got)
		}
	}
	if got := h.announce(of("one too many")); got != noticeLimited {
		t.Errorf("one too many: %s", got)
	}
	now.SetTime(noon.Add(tellAgain - time.Second))
	if got := h.announce(of("x")); got != noticeRepeated {
		t.Errorf("within the hour: %s", got)
	}
	now.SetTime(noon.Add(tellAgain))
	if got := h.announce(of("x")); got != noticeTold {
		t.Errorf("after the hour: %s", got)
	}
	for i := range maxTold {
		h.told[toldKey{about: string(rune(i))}] = now.Now()
	}
	if h.announce(of("y")); len(h.told) > maxTold {
		t.Errorf("%d notices are remembered", len(h.told))
	}
}
