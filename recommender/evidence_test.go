package recommender

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/guard"
	"github.com/loadline-dev/loadline/recommender/history"
)

func TestWhatAnAdvisorIsTold(t *testing.T) {
	l := checkout(t, 14*day)
	l.in.Settings.Priority = v1alpha1.PriorityHigh
	l.in.Policy.Replicas.Max = new(int32(9))
	past := l.in.History.Containers["app"]
	past.Throttled = testkit.Usage(l.now, 14*day, testkit.Flat(0.31))
	l.in.History.Containers["app"] = past
	l.in.Forecasts = (&Forecaster{}).Forecasts(l.in, l.now)
	since := l.now.Add(-5 * time.Hour)
	mem := Memory{Guard: guard.Memory{Containers: map[string]guard.ContainerMemory{"app": {Image: l.in.Containers[0].Image, ImageSince: since}}}}
	mem.Template, l.in.Template = Template{ID: "before"}, "after"
	e := gatherEvidence(l.now, l.in, mem)

	if e.Workload != "Deployment shop/checkout" || e.Priority != "high" || e.Bounds.MinReplicas != 1 || e.Bounds.MaxReplicas != 9 || e.HistoryDays != 7 {
		t.Errorf("told of %q, %s, %+v, %d days", e.Workload, e.Priority, e.Bounds, e.HistoryDays)
	}
	if diff := cmp.Diff([]advice.Throttling{{ID: "T1", Container: "app", Percent: 31}}, e.Throttling); diff != "" {
		t.Errorf("throttling (-want +got):\n%s", diff)
	}
	if len(e.Rollouts) != 2 || !e.Rollouts[0].Time.Equal(l.now) || !strings.HasPrefix(e.Rollouts[0].Change, "the pod template, ") ||
		!e.Rollouts[1].Time.Equal(since) || !strings.HasPrefix(e.Rollouts[1].Change, "container app: a new image, ") {
		t.Errorf("rollouts %+v", e.Rollouts)
	}
	if len(e.Windows) == 0 || e.Windows[0].Container != "app" || e.Windows[0].PeakCores <= 0 {
		t.Errorf("windows %+v", e.Windows)
	}
}

func TestANewImageKeepsTheSizesForADay(t *testing.T) {
	l := checkout(t, 14*day).look()
	l.in.Containers[0].Image = "acme/checkout:2"
	l.after(4 * time.Hour).look()
	if cpu, _ := app(l.rec.Status.Candidate); cpu != 1000 {
		t.Fatalf("%dm right after a rollout, want the 1000m of before", cpu)
	}
	if first := l.rec.Status.Advice.Adjustments[0]; first.Kind != "never-shrink" || first.Source != advice.SourceRules {
		t.Errorf("why is %+v", first)
	}
	l.after(25 * time.Hour).look()
	if left := l.rec.Status.Advice.Adjustments; len(left) != 0 {
		t.Errorf("a day later there is still %+v", left)
	}
}

func TestANewSettingIsARolloutAndNewSizesAreNone(t *testing.T) {
	template := testkit.Deployment("shop", "checkout", 2).Container("app", "2", "2Gi").Object().Spec.Template.Spec
	changed := func(change func(*corev1.Container)) string {
		spec := template.DeepCopy()
		change(&spec.Containers[0])
		return templateID(*spec)
	}
	l := checkout(t, 14*day)
	l.in.Template = templateID(template)
	l.look()

	l.in.Template = changed(func(c *corev1.Container) { c.Resources.Requests = nil })
	l.after(4 * time.Hour).look()
	if left := l.rec.Status.Advice.Adjustments; len(left) != 0 {
		t.Errorf("other sizes were taken for a rollout: %+v", left)
	}

	l.in.Template = changed(func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "WORKERS", Value: "16"}} })
	l.after(4 * time.Hour).look()
	if left := l.rec.Status.Advice.Adjustments; len(left) != 1 || left[0].Kind != "never-shrink" {
		t.Errorf("a new setting says %+v", left)
	}
	l.after(25 * time.Hour).look()
	if left := l.rec.Status.Advice.Adjustments; len(left) != 0 {
		t.Errorf("a day later there is still %+v", left)
	}
}

func warning(name, kind, object, message string) *corev1.Event {
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, InvolvedObject: corev1.ObjectReference{Kind: kind, Name: object},
		Type: corev1.EventTypeWarning, Reason: "Unhealthy", Message: message, Count: 3, LastTimestamp: metav1.Time{Time: noon.Add(-time.Hour)},
	}
}

func TestWarningsAboutAWorkloadAndItsPodsAreRead(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 2).Container("app", "2", "2Gi")
	pod := deployment.Pod(0).Object()
	objects := []*corev1.Event{
		warning("a", "Pod", pod.Name, "zzz"), warning("b", kindDeployment, "checkout", "aaa"),
		warning("c", "Pod", "somebody-else", "not ours"), warning("d", kindDeployment, "cart", "not ours"),
	}
	s := openShop(t, pod, objects[0], objects[1], objects[2], objects[3])
	if in := s.gather(); in.Events != nil {
		t.Errorf("without a model nobody reads %+v", in.Events)
	}
	s.recommender.Engine.Advisor = &forgetful{}
	var got []string
	for _, e := range s.gather().Events {
		got = append(got, fmt.Sprint(e.ID, " ", e.Message, " ", e.Count))
	}
	if diff := cmp.Diff([]string{"E1 aaa 3", "E2 zzz 3"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestOfAnEventLittleIsKept(t *testing.T) {
	event := warning("a", "Pod", "checkout-0", strings.Repeat("é", 2000))
	event.Source, event.ManagedFields, event.InvolvedObject.UID = corev1.EventSource{Component: "kubelet"}, []metav1.ManagedFieldsEntry{{}}, "uid"
	stripped, err := stripEvent(event)
	got, ok := stripped.(*corev1.Event)
	if err != nil || !ok || len(got.Message) > maxEventMessage || len(got.ManagedFields) > 0 || got.Source.Component != "" || got.Count != 3 {
		t.Errorf("kept %+v, %v", stripped, err)
	}
	series := rawEvent(&corev1.Event{Series: &corev1.EventSeries{Count: 7, LastObservedTime: metav1.NewMicroTime(noon)}, EventTime: metav1.NewMicroTime(noon.Add(-day))})
	if series.Count != 7 || !series.Last.Equal(noon) || !series.First.Equal(noon.Add(-day)) {
		t.Errorf("a series is %+v", series)
	}
}

func TestWhatAnAutoscalerDidLast(t *testing.T) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{Status: autoscalingv2.HorizontalPodAutoscalerStatus{
		CurrentReplicas: 9, DesiredReplicas: 10, LastScaleTime: &metav1.Time{Time: noon.Add(-time.Hour)},
		Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{
			{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionTrue, Reason: "TooManyReplicas", Message: "at the maximum", LastTransitionTime: metav1.Time{Time: noon}},
			{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionTrue, Message: "ready"},
		},
	}}
	want := advice.Scaling{Time: noon, From: 9, To: 10, AtMaximum: true, Reason: "at the maximum"}
	if diff := cmp.Diff(want, lastScaling(hpa)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	hpa.Status.Conditions[0].Status = corev1.ConditionFalse
	if got := lastScaling(hpa); got.AtMaximum || got.Reason != "ready" || !got.Time.Equal(noon.Add(-time.Hour)) {
		t.Errorf("below the maximum: %+v", got)
	}
	if got := lastScaling(&autoscalingv2.HorizontalPodAutoscaler{}); !got.Time.IsZero() {
		t.Errorf("an autoscaler that did nothing: %+v", got)
	}
}

// fakePrometheus answers every query alike.
type fakePrometheus struct {
	history.Querier
	queries []string
	series  int
	err     error
}

func (f *fakePrometheus) QueryRange(_ context.Context, query string, r promv1.Range, _ ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	f.queries = append(f.queries, query)
	var matrix model.Matrix
	for range f.series {
		stream := &model.SampleStream{}
		for at := r.Start; !at.After(r.End); at = at.Add(r.Step) {
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnix(at.Unix()), Value: 900})
		}
		matrix = append(matrix, stream)
	}
	return matrix, nil, nil, f.err
}

func TestSignalsAreReadBoundedAndNeverInTheWay(t *testing.T) {
	prometheus := &fakePrometheus{series: 1}
	s := &Signals{Querier: prometheus}
	policy := []v1alpha1.Signal{
		{Name: "requests", PromQL: `sum(rate(requests{ns="$namespace",app="$workload"}[5m]))`, Role: v1alpha1.SignalDriver},
		{Name: "errors", PromQL: "errors", Role: v1alpha1.SignalHealth},
	}
	read := func(now time.Time) ([]advice.Signal, []string) {
		return s.Read(t.Context(), checkoutTarget, policy, now)
	}
	first, problems := read(noon)
	if len(first) != 1 || first[0].ID != "S1" || first[0].Latest != 900 || problems != nil {
		t.Fatalf("read %+v, %v", first, problems)
	}
	read(noon.Add(10 * time.Minute))
	if diff := cmp.Diff([]string{`sum(rate(requests{ns="shop",app="checkout"}[5m]))`}, prometheus.queries); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}

	prometheus.err = errors.New("timeout")
	if kept, problems := read(noon.Add(time.Hour)); len(kept) != 1 || len(problems) != 1 || !strings.Contains(problems[0], "signal requests is not read: timeout") {
		t.Errorf("in an outage: %+v, %v", kept, problems)
	}
	if old, _ := read(noon.Add(8 * time.Hour)); len(old) != 0 {
		t.Errorf("eight hours old and still told: %+v", old)
	}
	prometheus.err, prometheus.series = nil, 2
	if _, problems := read(noon.Add(9 * time.Hour)); len(problems) != 1 || !strings.Contains(problems[0], "gives 2 series, and one is wanted") {
		t.Errorf("two series: %v", problems)
	}
}
