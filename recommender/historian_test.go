package recommender

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
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

func TestWhoNeedNotReadDoesNotWaitForTheOneWhoReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &fakeHistory{}
		h := newHistorian(reader)
		if err := h.Ensure(t.Context(), "shop", noon); err != nil {
			t.Fatal(err)
		}
		inside, answer := make(chan struct{}), make(chan struct{})
		reader.during = func() { close(inside); <-answer }
		var read sync.WaitGroup
		read.Go(func() { _ = h.Ensure(t.Context(), "shop", noon.Add(8*time.Minute)) })
		<-inside
		if err := h.Ensure(t.Context(), "shop", noon.Add(8*time.Minute)); err != nil {
			t.Errorf("what is in memory counts, and yet: %v", err)
		}
		close(answer)
		read.Wait()
	})
}

func TestAPrometheusThatAnswersNobodyInTimeIsAskedByOneAtATime(t *testing.T) {
	reader := &fakeHistory{problem: &history.Error{TimedOut: true}}
	h := newHistorian(reader)
	asks := func(namespace string, after time.Duration) (asked bool, problem error) {
		before := reader.reads
		problem = h.Ensure(t.Context(), namespace, noon.Add(after))
		return reader.reads > before, problem
	}
	const later = 4*time.Minute + time.Second
	for _, step := range []struct {
		namespace string
		after     time.Duration
		answers   bool
		asked     bool
	}{
		{"large", 0, false, true}, // One alone may be too large,
		{"small", 0, true, true},  // and the others go on.
		{"large", later, false, true},
		{"a", later, false, true}, // The second in a row: nobody gets an answer.
		{"b", later, false, false},
		{"a", 2 * later, false, true}, // One tries after half an interval, and in vain.
		{"b", 2 * later, false, false},
		{"b", 3 * later, true, false}, // Twice as long to wait.
		{"b", 4 * later, true, true},
		{"c", 4 * later, true, true},
	} {
		reader.problem = &history.Error{TimedOut: true}
		if step.answers {
			reader.problem = nil
		}
		asked, problem := asks(step.namespace, step.after)
		if asked != step.asked || (problem == nil) != (step.asked && step.answers) {
			t.Errorf("%s after %s: asked %t, problem %v, want asked %t", step.namespace, step.after, asked, problem, step.asked)
		}
	}
}

// readerOf is a HistoryReader that has nothing and reads with the function.
type readerOf func(namespace string) error

func (f readerOf) Sync(_ context.Context, namespace string, _ []history.Target, _ time.Time) error {
	return f(namespace)
}

func (readerOf) Get(string, string, string) (history.Workload, bool) {
	return history.Workload{}, false
}
func (readerOf) Forget(string, string, string) {}

func TestNobodyWaitsForTheOneWhoTriesWhetherPrometheusIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside, answer := make(chan struct{}), make(chan struct{})
		h := newHistorian(nil)
		h.Reader = readerOf(func(namespace string) error {
			if namespace == "tries" {
				close(inside)
				<-answer
				return nil
			}
			return &history.Error{TimedOut: true}
		})
		for _, namespace := range []string{"a", "b"} {
			_ = h.Ensure(t.Context(), namespace, noon)
		}
		var try sync.WaitGroup
		try.Go(func() { _ = h.Ensure(t.Context(), "tries", noon.Add(time.Hour)) })
		<-inside
		if err := h.Ensure(t.Context(), "c", noon.Add(time.Hour)); !errors.Is(err, errUnanswered) {
			t.Errorf("during the try another namespace gets %v", err)
		}
		close(answer)
		try.Wait()
		if err := h.Ensure(t.Context(), "c", noon.Add(time.Hour)); err == nil || errors.Is(err, errUnanswered) {
			t.Errorf("after an answer it is not asked about: %v", err)
		}
	})
}

// neverAnswers is a Querier of a server that accepts every question.
type neverAnswers struct{}

func (neverAnswers) QueryRange(ctx context.Context, _ string, _ promv1.Range, _ ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	<-ctx.Done()
	return nil, nil, nil, ctx.Err()
}

func TestAPrometheusThatNeverAnswersHoldsUpNoKillElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which time passes only while all wait
		var objects []client.Object
		var queue []Target
		open := func(namespace string) *testkit.DeploymentBuilder {
			deployment := testkit.Deployment(namespace, "web", 1).Container("app", "1", "1Gi")
			objects = append(objects, testkit.Namespace(namespace, v1alpha1.AnnotationMode, "auto"), deployment.Object())
			queue = append(queue, Target{Namespace: namespace, Kind: kindDeployment, Name: "web"})
			return deployment
		}
		for i := range 20 {
			open(fmt.Sprintf("team-%d", i))
		}
		objects = append(objects, open("killed").Pod(0).OOMKilled("app", "1Gi", time.Now().Add(-time.Minute)).Object())

		s := newShop(t, objects...)
		s.recommender.Clock = clock.RealClock{}
		s.recommender.Engine.History.Reader = silentReader(t)
		begin := time.Now()
		targets := make(chan Target, len(queue))
		for _, target := range queue {
			targets <- target
		}
		close(targets)
		var workers sync.WaitGroup
		for range config.Default().Recommender.Workers {
			workers.Go(func() {
				for target := range targets {
					if _, err := s.recommender.Reconcile(t.Context(), target); err != nil {
						t.Error(err)
					}
				}
			})
		}
		workers.Wait()
		if took, timeout := time.Since(begin), 30*time.Second; took > 3*timeout {
			t.Errorf("two workers looked at %d namespaces in %s, which is the time of %d questions", len(queue), took, took/timeout)
		}
		rec := &v1alpha1.Recommendation{}
		if err := s.client.Get(t.Context(), queue[len(queue)-1].RecommendationKey(), rec); err != nil {
			t.Fatal(err)
		}
		if floors := rec.Status.OOMFloor; len(floors) != 1 || floors[0].Floor.Value() <= gibibyte {
			t.Errorf("the kill taught %+v", floors)
		}
	})
}

// silentReader reads from a Prometheus that never answers.
func silentReader(t *testing.T) *history.Reader {
	t.Helper()
	reader, err := history.New(history.Options{
		Querier: neverAnswers{}, Labels: history.Labels{Namespace: "namespace", Pod: "pod", Container: "container"},
		Queries: history.Queries{CPU: "cpu", WorkingSet: "memory", RSS: "rss", ThrottledPeriods: "throttled", Periods: "periods"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return reader
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
