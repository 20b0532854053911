package recommender

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
)

// vpaOf sizes the pods of a Deployment; without a mode it does not say how.
func vpaOf(deployment, mode string) *unstructured.Unstructured {
	vpa := anyVPA()
	vpa.SetNamespace("shop")
	vpa.SetName("vpa-" + deployment)
	spec := map[string]any{"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": kindDeployment, "name": deployment}}
	if mode != "" {
		spec["updatePolicy"] = map[string]any{"updateMode": mode}
	}
	vpa.Object["spec"] = spec
	return vpa
}

func TestPodsThatAVerticalPodAutoscalerChangesAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		vpa  *unstructured.Unstructured
		want v1alpha1.Mode
	}{
		"one that evicts":           {vpaOf("checkout", "Recreate"), v1alpha1.ModeDryRun},
		"one that changes new pods": {vpaOf("checkout", "Initial"), v1alpha1.ModeDryRun},
		"one that resizes":          {vpaOf("checkout", "InPlaceOrRecreate"), v1alpha1.ModeDryRun},
		"one that does not say":     {vpaOf("checkout", ""), v1alpha1.ModeDryRun},
		"one that only recommends":  {vpaOf("checkout", "Off"), v1alpha1.ModeAuto},
		"one of another workload":   {vpaOf("cart", "Recreate"), v1alpha1.ModeAuto},
		"one that makes no sense":   {withoutSpec(vpaOf("checkout", "Recreate")), v1alpha1.ModeAuto},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, c.vpa, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"),
				testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi").Object())
			s.reconcile()
			status := s.recommendation().Status
			if status.Mode != c.want {
				t.Errorf("mode %s (%s), want %s", status.Mode, status.ModeFrom, c.want)
			}
			approved := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionApproved)
			held := c.want == v1alpha1.ModeDryRun
			if told := approved.Reason == v1alpha1.ReasonVPA && approved.Status == metav1.ConditionFalse &&
				strings.Contains(approved.Message, "vpa-checkout") && strings.Contains(status.ModeFrom, "vpa-checkout"); told != held {
				t.Errorf("Approved is %s because %s: %s; mode: %s", approved.Status, approved.Reason, approved.Message, status.ModeFrom)
			}
			if hasFinding(status, v1alpha1.ReasonVPA) != held {
				t.Errorf("findings %v", status.Findings)
			}
			if status.Candidate == nil {
				t.Error("there is nothing to look at")
			}
		})
	}
}

func withoutSpec(vpa *unstructured.Unstructured) *unstructured.Unstructured {
	vpa.Object["spec"] = "odd"
	return vpa
}

func hasFinding(status v1alpha1.RecommendationStatus, kind string) bool {
	return slices.ContainsFunc(status.Findings, func(f v1alpha1.Finding) bool { return f.Type == kind })
}

func TestAWorkloadIsSizedAgainOnceItsVerticalPodAutoscalerIsGone(t *testing.T) {
	vpa := vpaOf("checkout", "Recreate")
	s := newShop(t, vpa, testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"),
		testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi").Object())
	s.reconcile()
	if err := s.client.Delete(t.Context(), vpa); err != nil {
		t.Fatal(err)
	}
	s.reconcile()
	if status := s.recommendation().Status; status.Mode != v1alpha1.ModeAuto || hasFinding(status, v1alpha1.ReasonVPA) ||
		apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionApproved).Status != metav1.ConditionTrue {
		t.Errorf("mode %s (%s), findings %v", status.Mode, status.ModeFrom, status.Findings)
	}
}

func TestADeletedWorkloadThatAVerticalPodAutoscalerSizesDoesNotComeBackWithOtherSizes(t *testing.T) {
	deployment := testkit.Deployment("shop", "checkout", 3).Container("app", "2", "2Gi").Object()
	s := newShop(t, vpaOf("checkout", "Initial"), testkit.Namespace("shop", v1alpha1.AnnotationMode, "auto"), deployment)
	s.reconcile()
	if err := s.client.Delete(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	s.reconcile()
	if mode := s.recommendation().Status.Mode; mode != v1alpha1.ModeDryRun {
		t.Errorf("new pods would be admitted in mode %s", mode)
	}
}

func TestTheCacheKeepsOfAVerticalPodAutoscalerWhatIsRead(t *testing.T) {
	vpa := vpaOf("checkout", "Initial")
	vpa.SetAnnotations(map[string]string{"large": "text"})
	vpa.Object["status"] = map[string]any{"recommendation": "large"}
	kept, err := CacheOptions(true).DefaultTransform(vpa)
	if err != nil {
		t.Fatal(err)
	}
	u := kept.(*unstructured.Unstructured)
	if of, mode := readVPA(u); of != checkoutTarget || mode != "Initial" || u.GetName() != "vpa-checkout" {
		t.Errorf("sizes %v in mode %s", of, mode)
	}
	if u.Object["status"] != nil || u.GetAnnotations() != nil {
		t.Errorf("kept %v", u.Object)
	}
}

// growing is a cluster that learns a kind, after it could not be asked once.
type growing struct {
	apimeta.RESTMapper
	answers []error
}

func (g *growing) RESTMapping(schema.GroupKind, ...string) (*apimeta.RESTMapping, error) {
	err := g.answers[0]
	g.answers = g.answers[1:]
	return &apimeta.RESTMapping{}, err
}

func TestAKindThatAppearsLaterIsWatchedFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var watched time.Duration
		appearing := await{
			kind: vpaKind(), mapper: &growing{answers: []error{&apimeta.NoKindMatchError{}, errors.New("away"), nil}}, clock: clock.RealClock{},
			every: time.Minute, watch: func() error { watched = time.Since(begun); return nil },
		}
		if err := appearing.Start(t.Context()); err != nil || watched != 2*time.Minute {
			t.Errorf("watched after %s, error %v; want after two minutes", watched, err)
		}
	})
}
