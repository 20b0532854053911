package updater

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
)

// torn is a workload whose containers were killed with 512Mi and are to have 800Mi, with less CPU: 300m with a limit of 800m in place of
// 500m with 1.
func torn(t *testing.T) *world {
	t.Helper()
	objects := shop(500, 500, 500)
	for _, o := range objects {
		if p, ok := o.(*corev1.Pod); ok {
			r := &p.Spec.Containers[0].Resources
			r.Limits = corev1.ResourceList{corev1.ResourceCPU: quantity("1"), corev1.ResourceMemory: quantity("512Mi")}
			p.Status.ContainerStatuses[0].Resources = r
		}
	}
	w := newWorld(t, append(objects, disrupting(withoutCanary()))...)
	w.publish(400, func(s *v1alpha1.RecommendationStatus) {
		v := apply.FromAPI(s.Applicable)
		c := &v.Containers[0]
		c.InPlace.CPUMillis, c.CPUBand, c.CPULimit = 300, apply.Interval{Min: 290, Max: 440}, apply.Limit{Policy: "Ratio", Value: 800}
		c.Target.MemoryBytes, c.InPlace.MemoryBytes = 800*apply.MiB, 800*apply.MiB
		c.MemoryBand, c.MemoryLimit = apply.Interval{Min: 780 * apply.MiB, Max: 900 * apply.MiB}, apply.Limit{Policy: "Ratio", Value: 800 * apply.MiB}
		s.Applicable = apply.ToAPI(v, apply.Revision(v), w.clock.Now())
		s.OOMFloor = []v1alpha1.OOMFloor{{Container: "app", Hit: quantity("512Mi"), Floor: quantity("620Mi"), Time: *s.ObservedTime}}
	})
	return w
}

// atMostTwice is a LimitRange that allows a CPU limit of twice the request.
func atMostTwice(r corev1.ResourceRequirements) error {
	if r.Limits.Cpu().MilliValue() > 2*r.Requests.Cpu().MilliValue() {
		return forbidden("maximum cpu limit to request ratio per Container is 2, but provided ratio is 2.666667")
	}
	return nil
}

func TestWhatAKilledContainerNeedsIsNotHeldByALoweringThatIsRefused(t *testing.T) {
	w := torn(t)
	asked := 0
	w.refuses = func(r corev1.ResourceRequirements) error { asked++; return atMostTwice(r) }
	w.killed("checkout-0")
	w.round()
	if len(w.resized) != 0 {
		t.Fatalf("resized %v, which the LimitRange refuses", w.resized)
	}
	w.restart()
	w.round()
	r := w.pod("checkout-0").Spec.Containers[0].Resources
	if r.Limits.Memory().Cmp(resource.MustParse("800Mi")) != 0 || r.Requests.Cpu().MilliValue() != 500 || r.Limits.Cpu().MilliValue() != 1000 {
		t.Errorf("the pod has %v, want 800Mi, and the CPU that it had", r)
	}
	w.rounds(2 * time.Minute)
	w.killed("checkout-1")
	w.rounds(time.Hour)
	if c := w.condition(v1alpha1.ConditionHealthy); c.Status != "True" {
		t.Errorf("%+v: blamed on a lowering that was refused", c)
	}
	if len(w.resized) != 3 || len(w.evicted) != 0 || asked > 3*7 {
		t.Errorf("asked %d times, resized %v, evicted %v, want each pod to be raised once, and the lowering to be asked for ever less often", asked, w.resized, w.evicted)
	}
}

func TestMemoryIsNotHeldByCPUThatAQuotaRefuses(t *testing.T) {
	w := torn(t)
	w.publish(900, func(s *v1alpha1.RecommendationStatus) {
		v := apply.FromAPI(s.Applicable)
		v.Containers[0].CPULimit.Value = 1800
		s.Applicable = apply.ToAPI(v, apply.Revision(v), w.clock.Now())
	})
	w.refuses = func(r corev1.ResourceRequirements) error {
		if r.Requests.Cpu().MilliValue() > 500 {
			return forbidden("exceeded quota: team, requested: requests.cpu=400m")
		}
		return nil
	}
	w.rounds(2 * time.Minute)
	r := w.pod("checkout-0").Spec.Containers[0].Resources
	if r.Limits.Memory().Cmp(resource.MustParse("800Mi")) != 0 || r.Requests.Cpu().MilliValue() != 500 {
		t.Errorf("the pod has %v, want 800Mi although there is no more CPU", r)
	}
	w.rounds(10 * time.Minute)
	if c := w.condition(v1alpha1.ConditionApplied); len(w.evicted) != 0 || !strings.Contains(c.Message, "exceeded quota") {
		t.Errorf("evicted %v, Applied = %+v, want the CPU to be waited for", w.evicted, c)
	}
}

func TestAPodIsEvictedForMemoryAlthoughALoweringOfItsCPUIsRefused(t *testing.T) {
	w := torn(t)
	w.refuses = atMostTwice
	for _, name := range []string{"checkout-0", "checkout-1", "checkout-2"} {
		pod := w.pod(name)
		restartsFor(corev1.ResourceMemory)(pod)
		if err := w.client.Update(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	w.rounds(time.Minute)
	if len(w.evicted) != 1 || len(w.resized) != 0 {
		t.Errorf("evicted %v, resized %v, want a new pod with the memory that no running one can be given", w.evicted, w.resized)
	}
}
