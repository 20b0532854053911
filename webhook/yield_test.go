package webhook

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// owned adds a note of the API server on who set the number of pods.
func owned(object, manager, operation, subresource string) string {
	return strings.Replace(object, `"metadata":{`, fmt.Sprintf(
		`"metadata":{"managedFields":[{"manager":%q,"operation":%q,"subresource":%q,"fieldsV1":{"f:spec":{"f:replicas":{}}}}],`,
		manager, operation, subresource), 1)
}

func applied(object string) string { return owned(object, "argocd-controller", "Apply", "") }

func scaled(object string) string { return owned(object, "kubectl", "Update", "scale") }

// recorded says that kubectl's number of pods is on record.
func recorded(n int32, ago time.Duration) recOption {
	return func(r *v1alpha1.Recommendation) {
		r.Status.Replicas = &v1alpha1.ReplicaStatus{Scaled: &v1alpha1.ReplicaScaling{By: "kubectl", Replicas: n, Time: metav1.NewTime(noon.Add(-ago))}}
	}
}

func declared(n int32) recOption {
	return func(r *v1alpha1.Recommendation) { r.Status.Replicas = &v1alpha1.ReplicaStatus{Declared: &n} }
}

// scheduled says how many pods the present window needs.
func scheduled(n int32) recOption {
	return func(r *v1alpha1.Recommendation) {
		r.Status.Replicas = &v1alpha1.ReplicaStatus{Schedule: []v1alpha1.ReplicaWindow{
			{From: metav1.NewTime(noon.Add(-2 * time.Hour)), Until: metav1.NewTime(noon), Replicas: 30},
			{From: metav1.NewTime(noon), Until: metav1.NewTime(noon.Add(time.Hour)), Replicas: n},
		}}
	}
}

func TestWhoseNumberWins(t *testing.T) {
	const lastApplied = `"kubectl.kubernetes.io/last-applied-configuration":"{}"`
	noted := func(by string) string { return "2026-11-20T12:00:00Z by " + by }
	cases := map[string]struct {
		object, old string
		rec         []recOption
		// want is the number, noted who decided, kept what the manifest asks for.
		want        float64
		noted, kept any
	}{
		"Loadline's over a manifest that is applied again":      {object: applied(deployment(3, kept3)), old: deployment(4, kept3), want: 5, kept: "3"},
		"Loadline's, where the Recommendation knows the wish":   {object: applied(deployment(3)), old: deployment(4), rec: []recOption{declared(3)}, want: 5, kept: "3"},
		"the new number of a manifest":                          {object: applied(deployment(8, kept3)), old: deployment(4, kept3), want: 8, kept: "8", noted: noted("argocd-controller")},
		"the new number of Helm":                                {object: owned(deployment(8, kept3), "helm", "Update", ""), old: deployment(4, kept3), want: 8, kept: "8", noted: noted("helm")},
		"the new number of a manifest that kubectl applies":     {object: deployment(8, kept3, lastApplied), old: deployment(4, kept3), want: 8, kept: "8", noted: noted("ann")},
		"a person's edit, which the manifest knows nothing of":  {object: owned(deployment(8, kept3), "kubectl-edit", "Update", ""), old: deployment(4, kept3), want: 8, kept: "3", noted: noted("kubectl-edit")},
		"a person's scaling over a manifest applied again":      {object: applied(deployment(3, kept3)), old: scaled(deployment(20, kept3)), rec: []recOption{recorded(20, time.Minute)}, want: 20, kept: "3", noted: "2026-11-20T11:59:00Z by kubectl"},
		"a person's scaling that is not on record yet":          {object: applied(deployment(3, kept3)), old: scaled(deployment(20, kept3)), rec: []recOption{recorded(19, time.Hour)}, want: 20, kept: "3", noted: "2026-11-20T12:00:00Z by kubectl"},
		"a person's edit over a manifest applied again":         {object: applied(deployment(3, kept3, `"loadline.dev/scaled":"2026-11-20T11:59:00Z by ann"`)), old: deployment(20, kept3, `"loadline.dev/scaled":"2026-11-20T11:59:00Z by ann"`), want: 20, kept: "3", noted: "2026-11-20T11:59:00Z by ann"},
		"Loadline's over a scaling of long ago":                 {object: applied(deployment(3, kept3)), old: scaled(deployment(4, kept3)), rec: []recOption{recorded(4, time.Hour)}, want: 5, kept: "3"},
		"what runs, until the updater has lowered it":           {object: applied(deployment(3, kept3)), old: scaled(deployment(20, kept3)), rec: []recOption{recorded(20, time.Hour)}, want: 20, kept: "3"},
		"what runs, where the manifest asks for as few":         {object: applied(deployment(5, `"loadline.dev/original-replicas":"5"`)), old: deployment(20, `"loadline.dev/original-replicas":"5"`), want: 20, kept: "5"},
		"what runs, where the manifest asks for more":           {object: applied(deployment(9, `"loadline.dev/original-replicas":"9"`)), old: deployment(7, `"loadline.dev/original-replicas":"9"`), want: 7, kept: "9"},
		"what runs, while numbers are stale":                    {object: applied(deployment(9, `"loadline.dev/original-replicas":"9"`)), old: deployment(20, `"loadline.dev/original-replicas":"9"`), rec: []recOption{observed(25 * time.Hour)}, want: 20, kept: "9"},
		"no fewer, once the recommender has long been silent":   {object: applied(deployment(9, `"loadline.dev/original-replicas":"9"`)), old: deployment(7, `"loadline.dev/original-replicas":"9"`), rec: []recOption{observed(8 * time.Hour), declared(9)}, want: 9, kept: "9"},
		"the schedule's, once the recommender is silent":        {object: applied(deployment(3, kept3)), old: deployment(4, kept3), rec: []recOption{observed(8 * time.Hour), scheduled(8)}, want: 8, kept: "3"},
		"Loadline's, where no updater would ever lower it":      {object: applied(deployment(3, kept3)), old: deployment(20, kept3), rec: []recOption{mode("initial")}, want: 5, kept: "3"},
		"the manifest's, where no updater would ever lower it":  {object: applied(deployment(9, `"loadline.dev/original-replicas":"9"`)), old: deployment(20, `"loadline.dev/original-replicas":"9"`), rec: []recOption{mode("initial")}, want: 9, kept: "9"},
		"a person who lowers to what Loadline recommends":       {object: owned(deployment(5, kept3), "kubectl-edit", "Update", ""), old: deployment(20, kept3), want: 5, kept: "3", noted: noted("kubectl-edit")},
		"the number that Loadline recommends anyway":            {object: deployment(5, kept3), old: deployment(4, kept3), want: 5, kept: "3"},
		"Loadline's over its own number that a manifest undoes": {object: applied(deployment(3, kept3)), old: owned(deployment(4, kept3), "loadline-updater", "Update", "scale"), want: 5, kept: "3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newScaledWorld(t, c.rec...)
			req := update(c.object, c.old)
			req.UserInfo.Username = "ann"
			for range 2 { // The API server may call again, with what it got the first time.
				got := w.send(t, PathMutateWorkloads, req)
				object := got.object
				if n := at(t, object, "spec", "replicas"); n != c.want {
					t.Errorf("replicas %v, want %v", n, c.want)
				}
				annotations, _ := at(t, object, "metadata", "annotations").(map[string]any)
				have := map[string]any{"noted": annotations[v1alpha1.AnnotationScaled], "kept": annotations[v1alpha1.AnnotationOriginalReplicas]}
				if diff := cmp.Diff(map[string]any{"noted": c.noted, "kept": c.kept}, have); diff != "" {
					t.Errorf("annotations (want, got):\n%s", diff)
				}
				req.Object.Raw = []byte(object)
			}
		})
	}
}
