package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// limitRange bounds the memory of containers or pods; an empty text is no bound.
func limitRange(kind corev1.LimitType, smallest, largest, ratio string) corev1.LimitRange {
	memory := func(text string) corev1.ResourceList {
		if text == "" {
			return nil
		}
		return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(text)}
	}
	return corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
		Type: kind, Min: memory(smallest), Max: memory(largest), MaxLimitRequestRatio: memory(ratio),
	}}}}
}

// The API server would refuse the pod after the webhook has answered, and nothing would run.
func TestSizesThatALimitRangeForbidsAreNotInjected(t *testing.T) {
	const resources = `{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"memory":"2Gi"}}`
	const sidecar = `{"name":"proxy","resources":{"requests":{"memory":"600Mi"},"limits":{"memory":"600Mi"}}}`
	cases := map[string]struct {
		limits corev1.LimitRange
		rec    recOption
		policy v1alpha1.LimitPolicy
		want   string
	}{
		"inside":                               {limits: limitRange("Container", "100Mi", "2Gi", "8"), want: "injected"},
		"a container over its maximum":         {limits: limitRange("Container", "", "2Gi", ""), rec: container("app", "250m", "3Gi"), want: "limit-range"},
		"a container under its minimum":        {limits: limitRange("Container", "600Mi", "", ""), want: "limit-range"},
		"a container without a bounded limit":  {limits: limitRange("Container", "", "4Gi", ""), policy: v1alpha1.LimitNone, want: "limit-range"},
		"a limit too many times the request":   {limits: limitRange("Container", "", "", "3"), want: "limit-range"},
		"containers that are too much as one":  {limits: limitRange("Pod", "", "2500Mi", ""), want: "limit-range"},
		"containers that fit together":         {limits: limitRange("Pod", "", "2700Mi", ""), want: "injected"},
		"a container that is not sized at all": {limits: limitRange("Container", "", "512Mi", ""), rec: container("cart", "1", "4Gi"), want: "nothing-applicable"},
		"bounds of volume claims":              {limits: limitRange("PersistentVolumeClaim", "", "1Mi", ""), want: "injected"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			options := []recOption{container("app", "250m", "512Mi")}
			if c.rec != nil {
				options[0] = c.rec
			}
			if c.policy != "" {
				options = append(options, limits(c.policy, "", ""))
			}
			w := newWorld(t, recommend("Deployment", "checkout", options...))
			w.limitRanges["shop"] = []corev1.LimitRange{c.limits}
			got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(resources, sidecar)))
			if !got.Allowed || (len(got.Patch) > 0) != (c.want == "injected") {
				t.Errorf("allowed=%v, patch %s", got.Allowed, got.Patch)
			}
			if diff := cmp.Diff(map[string]int{"pods " + c.want: 1}, w.outcomes(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestItIsToldWhichLimitRangeForbidsWhat(t *testing.T) {
	for kind, want := range map[corev1.LimitType]string{
		corev1.LimitTypePod:       "LimitRange team bounds the memory of a pod: 1100Mi is over 1Gi (containers that are not in the template count, too)",
		corev1.LimitTypeContainer: "LimitRange team bounds the memory of a container: 1100Mi is over 1Gi (container app)",
	} {
		memory := map[corev1.LimitType]string{corev1.LimitTypePod: "900Mi", corev1.LimitTypeContainer: "1100Mi"}[kind]
		w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", memory), limits(v1alpha1.LimitEqual, "", "")))
		team := limitRange(kind, "", "1Gi", "")
		team.Name = "team"
		w.limitRanges["shop"] = []corev1.LimitRange{team}
		pod := checkoutPod(`{"limits":{"memory":"512Mi"}}`, `{"name":"proxy","resources":{"limits":{"memory":"200Mi"}}}`)
		w.send(t, PathMutatePods, createPod("shop", pod))
		if told := w.told(); len(told) != 1 || !strings.Contains(told[0], want) {
			t.Errorf("told %q, want %q", told, want)
		}
	}
}

func TestSizesThatAreHeldBackAndForbiddenGiveWayToThoseThatAreTried(t *testing.T) {
	w := newWorld(t, recommend("Deployment", "checkout", container("app", "250m", "512Mi"), func(rec *v1alpha1.Recommendation) {
		good := recommend("Deployment", "checkout", container("app", "1", "1Gi")).Status.Applicable
		rec.Status.Trying, rec.Status.Memory = rec.Status.Applicable.Revision, &v1alpha1.DecisionMemory{LastGood: good}
	}))
	w.limitRanges["shop"] = []corev1.LimitRange{limitRange("Pod", "", "600Mi", "")}
	got := w.send(t, PathMutatePods, createPod("shop", checkoutPod(`{"requests":{"cpu":"2","memory":"128Mi"},"limits":{"memory":"128Mi"}}`)))
	if sized := sizes(t, got.object, 0); sized != " requests.cpu=250m requests.memory=512Mi limits.memory=512Mi" {
		t.Errorf("app has%s, want what is tried, because 1Gi is forbidden and 128Mi is too little", sized)
	}
	if revision := at(t, got.object, "metadata", "annotations", v1alpha1.AnnotationRevision); revision != "aaaaaaaa" {
		t.Errorf("revision %v, want the one that is tried", revision)
	}
	if again := w.send(t, PathMutatePods, createPod("shop", got.object)); len(again.Patch) > 0 {
		t.Errorf("called again: patch %s", again.Patch)
	}
}
