package v1alpha1_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func TestARecommendationIsNamedAfterItsWorkload(t *testing.T) {
	if got := v1alpha1.RecommendationName("StatefulSet", "orders.db"); got != "statefulset-orders.db" {
		t.Errorf("got %s", got)
	}
}

func TestALongNameIsHashedAndStaysLegal(t *testing.T) {
	longest := strings.Repeat("a", 253)
	one, two := v1alpha1.RecommendationName("Deployment", longest), v1alpha1.RecommendationName("Deployment", longest[:252]+"b")
	if one == two {
		t.Errorf("two workloads share the name %s", one)
	}
	for _, name := range []string{one, two} {
		if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 || len(name) != 253 {
			t.Errorf("%s (%d): %v", name, len(name), errs)
		}
	}
	if whole := v1alpha1.RecommendationName("Deployment", longest[:241]); len(whole) != 252 || strings.TrimLeft(whole[11:], "a") != "" {
		t.Errorf("a name that fits was changed: %s", whole)
	}
}

func TestNamesAreLegalAndDiffer(t *testing.T) {
	workload := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"Deployment", "StatefulSet", "DaemonSet"}).Draw(t, "kind") + "/" +
			rapid.StringMatching(`[a-z0-9]{1,4}([-.][a-z0-9]{1,60}){0,4}`).Draw(t, "name")
	})
	name := func(workload string) string {
		kind, name, _ := strings.Cut(workload, "/")
		return v1alpha1.RecommendationName(kind, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := workload.Draw(t, "a"), workload.Draw(t, "b")
		if errs := validation.IsDNS1123Subdomain(name(a)); len(errs) > 0 {
			t.Fatalf("%s: %v", name(a), errs)
		}
		if a != b && name(a) == name(b) {
			t.Fatalf("%s and %s share the name %s", a, b, name(a))
		}
	})
}

func FuzzRecommendationName(f *testing.F) {
	f.Add("Deployment", "checkout")
	f.Add("", "")
	f.Add("Ä", strings.Repeat(".", 400))
	f.Fuzz(func(t *testing.T, kind, name string) {
		if errs := validation.IsDNS1123Subdomain(v1alpha1.RecommendationName(kind, name)); len(errs) > 0 {
			t.Fatalf("%q: %v", v1alpha1.RecommendationName(kind, name), errs)
		}
	})
}
