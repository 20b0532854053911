package recommender

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/history"
)

// fakeHistory is a HistoryReader that knows what it is told.
type fakeHistory struct {
	mu        sync.Mutex
	known     map[string]history.Workload
	problem   error
	reads     int
	asked     []history.Target
	forgotten []string
	// during is called inside of a read.
	during func()
}

func (f *fakeHistory) Sync(_ context.Context, _ string, targets []history.Target, _ time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	f.asked = targets
	if f.during != nil {
		f.during()
	}
	return f.problem
}

func (f *fakeHistory) Get(_, kind, name string) (history.Workload, bool) {
	w, ok := f.known[kind+"/"+name]
	return w, ok
}

func (f *fakeHistory) Forget(_, kind, name string) { f.forgotten = append(f.forgotten, kind+"/"+name) }

func newHistorian(reader *fakeHistory) *Historian {
	deployment := testkit.Deployment("shop", "checkout", 2).Container("app", "1", "1Gi")
	client := fake.NewClientBuilder().WithObjects(
		deployment.Object(), deployment.Pod(0).Object(), deployment.Pod(1).Object(),
		testkit.Deployment("shop", "legacy", 1).Annotated(v1alpha1.AnnotationMode, "off").Object(),
	).Build()
	return &Historian{Reader: reader, Engine: &Engine{Client: client}, Every: 8 * time.Minute, MaxBackoff: 10 * time.Minute}
}

func TestHoweverManyWorkloadsAskANamespaceIsReadOncePerInterval(t *testing.T) {
	reader := &fakeHistory{}
	h := newHistorian(reader)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if err := h.Ensure(t.Context(), "shop", noon); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if reader.reads != 1 {
		t.Errorf("%d reads in one interval", reader.reads)
	}
	want := []history.Target{{Kind: kindDeployment, Name: "checkout", Pods: []string{"checkout-6d8f9c7b5d-a", "checkout-6d8f9c7b5d-b"}}}
	if diff := cmp.Diff(want, reader.asked); diff != "" {
		t.Errorf("asked for (-want +got), where the one that opted out is not wanted:\n%s", diff)
	}
	if err := h.Ensure(t.Context(), "shop", noon.Add(8*time.Minute)); err != nil || reader.reads != 2 {
		t.Errorf("%d reads after one interval, error %v", reader.reads, err)
	}
}

func TestAPrometheusInTroubleIsAskedMoreAndMoreRarelyAndEverybodyIsTold(t *testing.T) {
	reader := &fakeHistory{problem: errors.New("503")}
	h := newHistorian(reader)
	var waits []time.Duration
	last := noon
	for now := noon; now.Before(noon.Add(time.Hour)); now = now.Add(time.Minute) {
		before := reader.reads
		if err := h.Ensure(t.Context(), "shop", now); !errors.Is(err, reader.problem) {
			t.Fatalf("at %s: got %v, want the problem", now, err)
		}
		if reader.reads > before {
			waits, last = append(waits, now.Sub(last)), now
		}
	}
	want := []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits between reads (-want +got):\n%s", diff)
	}
	reader.problem = nil
	if err := h.Ensure(t.Context(), "shop", noon.Add(2*time.Hour)); err != nil {
		t.Errorf("does not recover: %v", err)
	}
}

func TestAReadThatWasStoppedIsNotRememberedAsAProblem(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	reader := &fakeHistory{during: stop, problem: context.Canceled}
	h := newHistorian(reader)
	if err := h.Ensure(ctx, "shop", noon); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	reader.during, reader.problem = nil, nil
	if err := h.Ensure(t.Context(), "shop", noon); err != nil || reader.reads != 2 {
		t.Errorf("the next one gets %v after %d reads", err, reader.reads)
	}
}
