package updater

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/updater/breaker"
	"github.com/loadline-dev/loadline/updater/plan"
)

func TestAPolicyThatDeniesEvictionsIsTheBusinessOfItsWorkloadAlone(t *testing.T) {
	w := newWorld(t, append(shop(100, 100, 100, 500, 500), disrupting(withoutCanary()))...)
	w.resizeError = func(string) error { return forbidden("node didn't have enough allocatable resources") }
	asked := 0
	w.evictError = func(string) error {
		asked++
		return denied(http.StatusBadRequest, metav1.StatusReasonBadRequest)
	}
	w.rounds(2 * aRound)
	if asked != 1 {
		t.Errorf("asked %d times in the first round, want once: the answer for one pod is that for all", asked)
	}
	w.rounds(28 * aRound)
	if asked < 3 || asked > 7 {
		t.Errorf("asked %d times in a quarter of an hour, want a few times", asked)
	}
	if c := w.condition(v1alpha1.ConditionApplied); !strings.Contains(c.Message, "denied the request: not during the sale") {
		t.Errorf("Applied = %+v, want it to say who denies it", c)
	}
	if !slices.Contains(w.told(), "Refused") {
		t.Error("no Event tells of it")
	}
	if got := w.controller.record.breaker; got.Phase != breaker.Closed {
		t.Errorf("breaker = %+v, want it closed", got)
	}
	if n := testutil.ToFloat64(w.controller.metrics.actions.WithLabelValues("evict", "denied")); int(n) != asked {
		t.Errorf("%v evictions are counted as denied, want %d", n, asked)
	}
}

func TestAPolicyThatProtectsSomePodsDoesNotKeepTheOthersFromBeingEvicted(t *testing.T) {
	for name, protected := range map[string]int{"one of four": 1, "nine of twelve": 9} {
		t.Run(name, func(t *testing.T) {
			disruption := withoutCanary()
			disruption.EvictionsPerHour = new(int32(100))
			// Those that are protected are shorter than the others, so they are the first to be asked for.
			w := newWorld(t, append(shop(slices.Concat(asking(protected, 100), asking(3, 200))...), disrupting(disruption))...)
			w.resizeError = func(string) error { return forbidden("node didn't have enough allocatable resources") }
			asked := map[string]int{}
			w.evictError = func(pod string) error {
				if w.pod(pod).Spec.Containers[0].Resources.Requests.Cpu().MilliValue() > 100 {
					return nil
				}
				asked[pod]++
				return denied(http.StatusForbidden, metav1.StatusReasonForbidden)
			}
			for range time.Hour / aRound {
				before := len(w.evicted)
				w.round()
				for _, evicted := range w.evicted[before:] {
					successor := podOf(evicted+"-next", 500)
					successor.CreationTimestamp = metav1.NewTime(w.clock.Now())
					successor.Annotations = map[string]string{v1alpha1.AnnotationRevision: w.recommendation().Status.Applicable.Revision}
					if err := w.client.Create(t.Context(), successor); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(w.evicted) != 3 {
				t.Errorf("evicted %v, want the three that are not protected", w.evicted)
			}
			if len(asked) != protected {
				t.Errorf("asked for %v, want all %d that are protected", asked, protected)
			}
		})
	}
}

func TestWhereNobodyAnswersTheOtherNamespacesGoOn(t *testing.T) {
	down := apierrors.NewInternalError(errors.New(`failed calling webhook "x": context deadline exceeded`))
	for name, c := range map[string]struct {
		silent []string
		want   []string
	}{
		"one namespace":  {[]string{"a"}, []string{"a-web-0", "b-web-0", "b-web-1", "c-web-0"}},
		"two namespaces": {[]string{"a", "b"}, []string{"a-web-0", "b-web-0"}},
		"none":           {nil, []string{"a-web-0", "a-web-1", "b-web-0", "b-web-1", "c-web-0"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shop(500)...)
			w.round()
			var asked []string
			w.evictError = func(pod string) error {
				asked = append(asked, pod)
				if slices.Contains(c.silent, pod[:1]) {
					return down
				}
				return nil
			}
			var actions []plan.Action
			for _, pod := range []string{"a-web-0", "a-web-1", "b-web-0", "b-web-1", "c-web-0"} {
				namespace := pod[:1]
				w.podOf(namespace, "web", false, func(p *corev1.Pod) { p.GenerateName, p.Name = "", pod })
				actions = append(actions, plan.Action{Kind: plan.Evict, Workload: plan.Key{Namespace: namespace, Kind: "Deployment", Name: "web"}, Pod: pod})
			}
			w.controller.carryOut(t.Context(), actions)
			if diff := cmp.Diff(c.want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAResizeThatIsNotAnsweredDoesNotKeepOthersFromTheirs(t *testing.T) {
	w := newWorld(t, append(shop(100, 110, 110, 110), disrupting(withoutCanary()))...)
	for _, namespace := range []string{"quiet", "calm"} { // Loadline works in more than one, so one of them is not the cluster.
		w.podOf(namespace, "web", true, func(*corev1.Pod) {})
	}
	asked := 0
	w.resizeError = func(pod string) error {
		if pod != "checkout-0" {
			return nil
		}
		asked++
		return apierrors.NewTimeoutError("a webhook of the namespace is down", 1)
	}
	w.rounds(2 * aRound)
	if diff := cmp.Diff([]string{"checkout-1", "checkout-2", "checkout-3"}, w.resized); diff != "" {
		t.Errorf("resized in two rounds (-want +got):\n%s", diff)
	}
	w.rounds(18 * aRound)
	if asked < 3 || asked > 6 {
		t.Errorf("checkout-0 was asked for %d times in ten minutes, want ever less often", asked)
	}
	if c := w.condition(v1alpha1.ConditionApplied); !strings.Contains(c.Message, "a webhook of the namespace is down") {
		t.Errorf("Applied = %+v, want it to say what is waited for", c)
	}
	if got := w.controller.record.breaker; got.Phase != breaker.Closed {
		t.Errorf("breaker = %+v, want it closed", got)
	}
}

func TestWhatAKilledContainerNeedsIsAskedForEveryMinute(t *testing.T) {
	for name, c := range map[string]struct {
		killed   bool
		min, max int
	}{
		"raised after a kill":  {true, 8, 11},
		"raised for other use": {false, 3, 6},
	} {
		t.Run(name, func(t *testing.T) {
			objects := shop(500, 500)
			objects[len(objects)-1].(*corev1.Pod).Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = quantity("128Mi") //nolint:forcetypeassert // a pod
			if c.killed {
				stored(objects).Status.OOMFloor = []v1alpha1.OOMFloor{{Container: "app", Hit: quantity("128Mi"), Floor: quantity("500Mi")}}
			}
			w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
			for _, namespace := range []string{"quiet", "calm"} { // Loadline works in more than one, so one of them is not the cluster.
				w.podOf(namespace, "web", true, func(*corev1.Pod) {})
			}
			asked := 0
			w.resizeError = func(string) error {
				asked++
				return apierrors.NewTimeoutError("a webhook of the namespace is down", 1)
			}
			w.rounds(10 * time.Minute)
			if asked < c.min || asked > c.max {
				t.Errorf("asked for %d times in ten minutes, want %d to %d", asked, c.min, c.max)
			}
		})
	}
}

func TestANumberOfPodsThatIsNotAnsweredIsAskedForEveryMinuteAndTold(t *testing.T) {
	objects := shop(500, 500)
	rec := stored(objects)
	values := apply.FromAPI(rec.Status.Applicable)
	values.Replicas = new(int32(5))
	rec.Status.Applicable = apply.ToAPI(values, apply.Revision(values), start)
	w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
	w.annotate(map[string]string{v1alpha1.AnnotationReplicas: string(v1alpha1.ReplicasAuto)})
	for _, namespace := range []string{"quiet", "calm"} {
		w.podOf(namespace, "web", true, func(*corev1.Pod) {})
	}
	asked := 0
	w.scaleError = func() error {
		asked++
		return apierrors.NewTimeoutError("a webhook of the namespace is down", 1)
	}
	w.rounds(10 * time.Minute)
	if asked < 6 || asked > 10 {
		t.Errorf("asked for %d times in ten minutes, want about one in a minute", asked)
	}
	applied := w.condition(v1alpha1.ConditionApplied)
	if !strings.Contains(applied.Message, "2 pods run, 5 are recommended, which could not be set") || !strings.Contains(applied.Message, "a webhook of the namespace is down") {
		t.Errorf("Applied = %+v, want it to say what the number waits for", applied)
	}
	if n := testutil.ToFloat64(w.controller.metrics.skips.WithLabelValues(string(plan.SkipBackingOff))); n != 1 {
		t.Errorf("%v workloads are counted as waiting for another try, want 1", n)
	}
	w.scaleError = func() error { return nil }
	w.rounds(2 * time.Minute)
	if got := w.replicas(); got != 5 {
		t.Errorf("%d pods are asked for once there is an answer, want 5", got)
	}
	if applied := w.condition(v1alpha1.ConditionApplied); strings.Contains(applied.Message, "could not be set") {
		t.Errorf("Applied = %+v, want it to have forgotten that", applied)
	}
}

func TestOneSilentNamespaceOpensNoBreaker(t *testing.T) {
	for name, c := range map[string]struct {
		also       []string
		namespaces int
		later      time.Duration
		want       int
	}{
		"of several":                  {nil, 3, 0, 3},
		"where there is no other":     {nil, 1, 0, 20},
		"with a second one beside it": {[]string{"b", "b"}, 3, 0, 5},
		"long ago":                    {nil, 3, 10 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			counted := silences{}
			for range 20 {
				counted.add("a", start)
			}
			for _, namespace := range c.also {
				counted.add(namespace, start)
			}
			if got := counted.within(start.Add(c.later), 10*time.Minute, 5, c.namespaces); got != c.want {
				t.Errorf("counted %d, want %d", got, c.want)
			}
		})
	}
}
