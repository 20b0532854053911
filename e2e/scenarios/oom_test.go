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
