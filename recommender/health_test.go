package recommender

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// curve answers every query with a series over time.
type curve func(time.Time) float64

func (c curve) QueryRange(_ context.Context, _ string, r promv1.Range, _ ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	stream := &model.SampleStream{}
	for t := r.Start; !t.After(r.End); t = t.Add(r.Step) {
		stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(t.UnixNano()), Value: model.SampleValue(c(t))})
	}
	return model.Matrix{stream}, nil, nil, nil
}

// changed is a workload of which a pod was lowered a moment ago, under a policy with a health signal.
func changed(t *testing.T) *life {
	t.Helper()
	l, _, bad := harmed(t)
	l.in.Outcomes = []v1alpha1.Outcome{{Time: metav1.NewTime(l.now), Pod: "checkout-1", Revision: bad.Revision, Result: v1alpha1.OutcomeResized, Lowers: true}}
	l.in.Policy.Signals = []v1alpha1.Signal{{Name: "latency", PromQL: "latency", Role: v1alpha1.SignalHealth}}
	return l
}

// judged is what the signals say so long after the change.
func (l *life) judged(t *testing.T, after time.Duration, c curve) Health {
	t.Helper()
	return (&Engine{Querier: c}).health(t.Context(), l.in, MemoryOf(l.rec.Status), l.now.Add(after))
}

func TestHealthSignalsAreComparedWithTheSameTimeOfTheDaysBefore(t *testing.T) {
	change := harmedAt(t)
	sinceChange := func(t time.Time) bool { return !t.Before(change) }
	timeOfDay := func(t time.Time) time.Duration { // relative to the change
		return (t.Sub(change)%day+day+12*time.Hour)%day - 12*time.Hour
	}
	daily := func(before, after float64) curve { // changes every day at the time of the change
		return func(t time.Time) float64 {
			if timeOfDay(t) >= 0 {
				return after
			}
			return before
		}
	}
	for name, c := range map[string]struct {
		curve curve
		worse bool
	}{
		"every morning it rises as much":       {daily(0.2, 0.6), false},
		"it rises as it does on most mornings": {func(t time.Time) float64 { return daily(0.2, 0.6+0.01*float64(int(change.Sub(t)/day)))(t) }, false},
		"it rises more than on other mornings": {func(t time.Time) float64 { return daily(0.2, 0.3)(t) + rise(sinceChange(t), 0.3) }, true},
		"it falls as every evening":            {daily(0.6, 0.2), false},
		"it does not fall as every evening":    {func(t time.Time) float64 { return daily(0.6, 0.2)(t) + rise(sinceChange(t), 0.4) }, true},
		"it has been high for hours":           {func(t time.Time) float64 { return 0.2 + rise(change.Sub(t) < 3*time.Hour, 0.4) }, false},
		"it was as bad at the last try as well": {func(t time.Time) float64 {
			return 0.2 + rise(sinceChange(t) || change.Sub(t) > 23*time.Hour && change.Sub(t) < 25*time.Hour && timeOfDay(t) >= 0, 0.4)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := changed(t).judged(t, 10*time.Minute, c.curve)
			if (h.Worse != "") != c.worse || h.Passed == c.worse {
				t.Errorf("health = %+v, want worse: %v", h, c.worse)
			}
			if c.worse && !strings.Contains(h.Worse, "usually at most") {
				t.Errorf("worse = %q, want what is usual", h.Worse)
			}
		})
	}
}

func rise(yes bool, by float64) float64 {
	if yes {
		return by
	}
	return 0
}

// harmedAt is when the pod of a changed workload was lowered.
func harmedAt(t *testing.T) time.Time {
	t.Helper()
	return changed(t).now
}

func TestAChangeThatTookNothingIsNotToBlameForASignal(t *testing.T) {
	l := changed(t)
	l.in.Outcomes[0].Lowers = false
	at := l.now
	if h := l.judged(t, 10*time.Minute, func(t time.Time) float64 { return 0.2 + rise(!t.Before(at), 1) }); h.Worse != "" || h.Passed {
		t.Errorf("health = %+v, want nothing said", h)
	}
}

func TestARevisionThatWasReplacedAtOnceIsBlamedAllTheSame(t *testing.T) {
	l := changed(t)
	l.in.Outcomes[0].Revision = "before"
	at := l.now
	l.after(10 * time.Minute)
	l.in.Health = (&Engine{Querier: curve(func(t time.Time) float64 { return 0.2 + rise(!t.Before(at), 1) })}).health(t.Context(), l.in, MemoryOf(l.rec.Status), l.now)
	if r := l.look().rec.Status.Rollback; r == nil || r.Revision != "before" || !strings.Contains(r.Evidence, "latency") {
		t.Errorf("rollback = %+v, want the revision that pods got", r)
	}
}

func TestPodsThatARolloutBroughtAreComparedOnce(t *testing.T) {
	l := changed(t)
	revision, at := l.in.Outcomes[0].Revision, l.now
	l.in.Outcomes = nil
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(at), Annotations: map[string]string{
		v1alpha1.AnnotationRevision: revision, v1alpha1.AnnotationOriginal: `{"app":{"requests":{"cpu":"2"}}}`,
	}}}
	pod.Spec.Containers = []corev1.Container{testkit.Container("app", "100m", "100Mi")}
	if _, err := stripPod(pod); err != nil { // As the cache holds it.
		t.Fatal(err)
	}
	admission, ok := admissionOf(pod, at)
	if !ok {
		t.Fatal("the pod is not seen")
	}
	if !admission.lowers(Memory{}) {
		t.Fatal("it is not seen that the pod got less than it asked for")
	}
	l.in.Admissions = []Admission{admission}
	slower := func(t time.Time) float64 { return 0.2 + rise(!t.Before(at), 1) }
	if h := l.judged(t, 10*time.Minute, slower); h.Worse == "" || h.Revision != revision {
		t.Errorf("health = %+v, want the revision suspected", h)
	}
	l.in.Trial = &v1alpha1.Trial{Revision: revision, Template: "a", Time: metav1.NewTime(at.Add(-time.Hour))}
	if h := l.judged(t, 10*time.Minute, slower); h.Worse != "" {
		t.Errorf("health = %+v: pods were well with it before, so the new version is slower", h)
	}
	if _, ok := admissionOf(pod, at.Add(3*time.Hour)); ok {
		t.Error("a pod of three hours ago still counts")
	}
	pod.Annotations[v1alpha1.AnnotationRevision] = apply.HeldBack(revision)
	if _, ok := admissionOf(pod, at); ok {
		t.Error("a pod that has what pods had before counts")
	}
}

func TestHealthSignalsThatNobodyCanReadAreAFinding(t *testing.T) {
	l := changed(t)
	l.in.Health = (&Engine{}).health(t.Context(), l.in, MemoryOf(l.rec.Status), l.now)
	findings := l.look().rec.Status.Findings
	if !slices.ContainsFunc(findings, func(f v1alpha1.Finding) bool { return strings.Contains(f.Message, "no Prometheus is configured") }) {
		t.Errorf("findings = %+v", findings)
	}
}
