package scenarios

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/e2e/shop"
)

var killedShop = shop.InNamespace("killed", []shop.Workload{
	{
		Name: "payments", Replicas: 1, Requests: map[string]string{"cpu": "100m", "memory": "256Mi"}, Limits: map[string]string{"memory": "256Mi"},
		CPU: shop.Flat(0.05), Memory: shop.Flat(180 * shop.Mebibyte), PodAnnotations: map[string]string{"e2e/oom": "app"},
	},
	{ // Killed before there was any history: what a kill teaches does not wait for measurements.
		Name: "newborn", Replicas: 1, Requests: map[string]string{"cpu": "100m", "memory": "1Gi"}, Limits: map[string]string{"memory": "1Gi"},
		CPU: shop.Flat(0.05), Memory: shop.Flat(180 * shop.Mebibyte), PodAnnotations: map[string]string{"e2e/oom": "app"}, History: -1,
	},
})

var healedShop = shop.InNamespace("healed", []shop.Workload{crashing("alone", 1), crashing("all", 3)})

// crashing is a workload all of whose pods are down as long as they have the limit that they ask for.
func crashing(name string, replicas int32) shop.Workload {
	return shop.Workload{
		Name: name, Replicas: replicas, Requests: map[string]string{"cpu": "100m", "memory": "256Mi"}, Limits: map[string]string{"memory": "256Mi"},
		PodAnnotations: map[string]string{"e2e/killed-with": "256Mi"}, History: -1,
	}
}

func TestWorkloadsWhosePodsAreAllKilledForLackOfMemoryRecoverByThemselves(t *testing.T) {
	s := newScene(t, "healed", healedShop)
	for _, w := range healedShop {
		s.Eventually(func() int { return countReady(s.pods(w.Name)) }).Should(BeZero(), "%s is down", w.Name)
	}
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "auto"})
	for _, w := range healedShop {
		s.running(w.Name, w.Replicas)
		for _, pod := range s.pods(w.Name) {
			s.Expect(pod.Spec.Containers[0].Resources.Limits.Memory().Value()).To(BeNumerically(">=", 356*shop.Mebibyte), pod.Name)
		}
	}
}

func TestAnOOMKilledContainersMemoryTargetRisesAboveWhatKilledIt(t *testing.T) {
	s := newScene(t, "killed", killedShop)
	s.annotate(map[string]string{v1alpha1.AnnotationMode: "dry-run"})
	for name, floor := range map[string]string{
		"payments": "356Mi",  // 256 MiB + 100 MiB is more than 1.2 × 256 MiB
		"newborn":  "1229Mi", // 1.2 × 1 GiB is more than 1 GiB + 100 MiB; rounded up to whole MiB
	} {
		rec := s.when("Deployment", name, "learnt from the kill", func(rec *v1alpha1.Recommendation) bool {
			return len(rec.Status.OOMFloor) == 1 && rec.Status.Applicable != nil
		})
		s.Expect(target(rec.Status.Applicable).MemoryBytes).To(BeNumerically(">=", amounts("", floor).MemoryBytes), name)
		s.Expect(rec.Status.Display.Why).NotTo(BeEmpty())
	}
}
