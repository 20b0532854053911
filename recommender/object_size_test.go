package recommender

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	recommendationac "github.com/loadline-dev/loadline/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// crowd is a shop whose only workload has the given number of containers, all with long names and images, and with the
// outcomes of ten changes.
func crowd(t *testing.T, containers int) *shop {
	t.Helper()
	deployment := testkit.Deployment("shop", "checkout", 3)
	past := checkout(t, 14*day).in.History
	one := past.Containers["app"]
	for i := range containers {
		name := fmt.Sprintf("container-with-a-rather-long-name-%d", i)
		deployment.Container(name, "2", "2Gi")
		past.Containers[name] = one
	}
	object := deployment.Object()
	for i := range object.Spec.Template.Spec.Containers {
		c := &object.Spec.Template.Spec.Containers[i]
		c.Image = "registry.example.com/a/team/with/a/long/path/" + c.Name + "@sha256:" + strings.Repeat("0", 64)
	}
	s := newShop(t, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"), object)
	s.history.known["Deployment/checkout"] = past
	s.reconcile()
	s.report()
	return s
}

// report writes what the updater writes.
func (s *shop) report() {
	s.Helper()
	status := recommendationac.RecommendationStatus()
	for i := range 10 {
		status.WithOutcomes(recommendationac.Outcome().WithTime(metav1.Time{Time: noon}).WithPod(fmt.Sprintf("checkout-%s-%d", strings.Repeat("x", 50), i)).
			WithPodUID("00000000-0000-0000-0000-000000000000").WithRevision("0123456789abcdef").WithResult(v1alpha1.OutcomeRefused).
			WithMessage(strings.Repeat("because ", 18)))
	}
	key := checkoutTarget.RecommendationKey()
	err := s.client.Status().Apply(s.Context(), recommendationac.Recommendation(key.Name, key.Namespace).WithStatus(status),
		client.FieldOwner(v1alpha1.FieldManagerUpdater), client.ForceOwnership)
	if err != nil {
		s.Fatal(err)
	}
}

func TestAnObjectOf24ContainersWithOutcomesAndManagedFieldsFitsInto32KiB(t *testing.T) {
	for _, containers := range []int{1, 12, 24} {
		rec := crowd(t, containers).recommendation()
		encoded, err := json.Marshal(rec)
		if err != nil || len(encoded) > 32<<10 {
			t.Errorf("%d containers: the object has %d bytes, error %v", containers, len(encoded), err)
		}
		if len(rec.ManagedFields) < 2 || len(rec.Status.Outcomes) != 10 || len(rec.Status.Applicable.Containers) != containers {
			t.Errorf("%d containers: %d field managers, %d outcomes, %d sizes", containers, len(rec.ManagedFields), len(rec.Status.Outcomes), len(rec.Status.Applicable.Containers))
		}
	}
}

func TestManagedFieldsDoNotGrowWithTheContainers(t *testing.T) {
	length := func(containers int) int {
		encoded, err := json.Marshal(crowd(t, containers).recommendation().ManagedFields)
		if err != nil {
			t.Fatal(err)
		}
		return len(encoded)
	}
	if one, many := length(1), length(24); many > one {
		t.Errorf("managedFields have %d bytes with one container and %d with 24", one, many)
	}
}

func TestWhatDoesNotFitGoesInTheOrderOfItsWorth(t *testing.T) {
	status := v1alpha1.RecommendationStatus{Trail: slices.Repeat([]string{strings.Repeat("because ", 37)}, maxTrail)}
	for i := range maxContainers {
		f := v1alpha1.ForecastStatus{Container: fmt.Sprintf("c%d", i)}
		for _, model := range []string{"holt-winters", "seasonal-naive", "theta"} {
			f.Weights = append(f.Weights, v1alpha1.ModelWeight{Model: model, Percent: 33})
		}
		status.Forecast = append(status.Forecast, f)
	}
	for range maxFindings {
		status.Findings = append(status.Findings, v1alpha1.Finding{Type: "T", Severity: v1alpha1.SeverityInfo, Message: "m"})
	}
	all := size(status)
	if got := bound(status); size(got) > maxStatusBytes || len(got.Trail) != maxTrail || len(got.Forecast) != maxContainers || len(got.Findings) != maxFindings || all <= maxStatusBytes {
		t.Errorf("%d bytes became %d with %d sentences, %d forecasts, %d findings; want all of them, and only the models left out",
			all, size(got), len(got.Trail), len(got.Forecast), len(got.Findings))
	}
	if len(status.Forecast[0].Weights) == 0 {
		t.Error("the status that was given has changed")
	}
	status.Findings[15].Message = strings.Repeat("m", 9000)
	if got := bound(status); len(got.Trail) != maxTrail || len(got.Findings) != maxFindings-1 {
		t.Errorf("%d sentences and %d findings; want the last finding dropped for the sentences", len(got.Trail), len(got.Findings))
	}
}
