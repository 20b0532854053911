package webhook

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// deployment is the Deployment checkout with a field nobody knows. An n of -1 leaves spec.replicas out.
func deployment(n int, annotations ...string) string {
	spec := `"futureField":true`
	if n >= 0 {
		spec += fmt.Sprintf(`,"replicas":%d`, n)
	}
	return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"checkout","annotations":{` +
		strings.Join(annotations, ",") + `}},"spec":{` + spec + `}}`
}

func create(object string) *admissionv1.AdmissionRequest {
	return request(admissionv1.Create, "apps", "v1", "Deployment", "shop", object, "")
}

// createStatefulSet creates StatefulSet checkout with 2 pods, of Kubernetes or of another group.
func createStatefulSet(group, version string) *admissionv1.AdmissionRequest {
	object := strings.NewReplacer("apps/v1", group+"/"+version, "Deployment", "StatefulSet").Replace(deployment(2))
	return request(admissionv1.Create, group, version, "StatefulSet", "shop", object, "")
}

func update(object, old string) *admissionv1.AdmissionRequest {
	return request(admissionv1.Update, "apps", "v1", "Deployment", "shop", object, old)
}

// newScaledWorld recommends 5 pods of Deployment checkout, and of the StatefulSet of that name, in a namespace where replicas are injected.
func newScaledWorld(t *testing.T, options ...recOption) *world {
	t.Helper()
	options = append([]recOption{replicas(5)}, options...)
	w := newWorld(t, recommend("Deployment", "checkout", options...), recommend("StatefulSet", "checkout", options...))
	w.namespaces["shop"][v1alpha1.AnnotationReplicas] = "auto"
	return w
}

func TestReplicasAreInjectedWhereOnlyThePolicySaysAuto(t *testing.T) {
	w := newScaledWorld(t) // It holds a number to apply, so an annotation or the policy says auto.
	delete(w.namespaces["shop"], v1alpha1.AnnotationReplicas)
	if n := at(t, w.send(t, PathMutateWorkloads, create(deployment(2))).object, "spec", "replicas"); n != 5.0 {
		t.Errorf("replicas %v, want 5", n)
	}
}

// kept3 tells that the manifest asked for 3 pods.
const kept3 = `"loadline.dev/original-replicas":"3"`

func TestReplicasAreInjected(t *testing.T) {
	cases := map[string]struct {
		req   *admissionv1.AdmissionRequest
		asked string
	}{
		"on creation":                                 {create(deployment(2)), "2"},
		"on creation without a number":                {create(deployment(-1)), "1"},
		"on creation of a StatefulSet":                {createStatefulSet("apps", "v1"), "2"},
		"when a manifest is applied again":            {update(deployment(3, kept3), deployment(4, kept3)), "3"},
		"when a manifest starts what was scaled to 0": {update(deployment(3, kept3), deployment(0, kept3)), "3"},
		"on creation by somebody who asks for more":   {create(deployment(9)), "9"},
		"when the workload itself repeats the wish":   {create(deployment(2, `"loadline.dev/replicas":"auto"`)), "2"},
		"when an old number is kept in an annotation": {create(deployment(2, `"loadline.dev/original-replicas":"7"`)), "2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newScaledWorld(t)
			got := w.send(t, PathMutateWorkloads, c.req)
			if n := at(t, got.object, "spec", "replicas"); n != 5.0 {
				t.Errorf("replicas %v, want 5", n)
			}
			if v := at(t, got.object, "metadata", "annotations", v1alpha1.AnnotationOriginalReplicas); v != c.asked {
				t.Errorf("original replicas %v, want %s", v, c.asked)
			}
			if at(t, got.object, "spec", "futureField") != true {
				t.Error("an unknown field is lost")
			}
			if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "becomes 5") {
				t.Errorf("warnings %q do not say what happened", got.Warnings)
			}
			again := *c.req
			again.Object.Raw = []byte(got.object)
			if got := w.send(t, PathMutateWorkloads, &again); len(got.Patch) > 0 {
				t.Errorf("called again: patch %s", got.Patch)
			}
		})
	}
}

func TestAStatefulSetIsNotCreatedWithFewerPodsThanItAsksFor(t *testing.T) {
	for _, mode := range []v1alpha1.Mode{v1alpha1.ModeInitial, v1alpha1.ModeAuto} {
		w := newWorld(t, recommend("StatefulSet", "checkout", replicas(5), func(r *v1alpha1.Recommendation) { r.Status.Mode = mode }))
		w.namespaces["shop"][v1alpha1.AnnotationReplicas] = "auto"
		send := func(n int) reply {
			object := strings.Replace(deployment(n), "Deployment", "StatefulSet", 1)
			return w.send(t, PathMutateWorkloads, request(admissionv1.Create, "apps", "v1", "StatefulSet", "shop", object, ""))
		}
		if got := send(9); len(got.Patch) > 0 || len(got.Warnings) > 0 {
			t.Errorf("%s: its pods may be there already: patch %s, warnings %q", mode, got.Patch, got.Warnings)
		}
		if n := at(t, send(2).object, "spec", "replicas"); n != 5.0 {
			t.Errorf("%s: replicas %v, want the 5 that are recommended", mode, n)
		}
	}
}

func TestReplicasAreLeftAlone(t *testing.T) {
	cases := map[string]struct {
		change func(*world)
		rec    []recOption
		req    *admissionv1.AdmissionRequest
		want   string
	}{
		"when a person sets 0":                   {req: create(deployment(0)), want: "scaled-to-zero"},
		"when the write is about something else": {req: update(deployment(2, `"a":"b"`), deployment(2)), want: "irrelevant"},
		"when the rollout is paused":             {req: create(strings.Replace(deployment(2), `"futureField"`, `"paused":true,"futureField"`, 1)), want: "paused"},
		"when the object is being deleted": {
			req:  update(strings.Replace(deployment(2), `"name"`, `"deletionTimestamp":"2026-11-20T11:00:00Z","name"`, 1), deployment(3)),
			want: "irrelevant",
		},
		"when an autoscaler owns them": {
			change: func(w *world) { w.autoscalers["shop/Deployment/checkout"] = "checkout" },
			want:   "autoscaled",
		},
		"when the namespace narrows it":  {change: func(w *world) { w.namespaces["shop"][v1alpha1.AnnotationReplicas] = "recommend" }, want: "not-opted-in"},
		"when the workload narrows it":   {req: create(deployment(2, `"loadline.dev/replicas":"recommend"`)), want: "not-opted-in"},
		"when the workload opts out":     {req: create(deployment(2, `"loadline.dev/mode":"off"`)), want: "not-opted-in"},
		"in a dry-run":                   {change: func(w *world) { w.namespaces["shop"][v1alpha1.AnnotationMode] = "dry-run" }, want: "not-opted-in"},
		"without an opinion":             {rec: []recOption{func(r *v1alpha1.Recommendation) { r.Status.Applicable.Replicas = nil }}, want: "nothing-applicable"},
		"when the recommendation is 0":   {rec: []recOption{replicas(0)}, want: "nothing-applicable"},
		"when stale numbers are lower":   {rec: []recOption{observed(25 * time.Hour)}, req: create(deployment(9)), want: "unchanged"},
		"of another group's StatefulSet": {req: createStatefulSet("apps.kruise.io", "v1beta1"), want: "irrelevant"},
		"of a DaemonSet":                 {req: request(admissionv1.Create, "apps", "v1", "DaemonSet", "shop", deployment(2), ""), want: "irrelevant"},
		"on the scale subresource": {
			req: func() *admissionv1.AdmissionRequest {
				r := update(deployment(2), deployment(3))
				r.SubResource = "scale"
				return r
			}(),
			want: "irrelevant",
		},
		"of a workload that cannot be read": {req: create(`{"spec":{"replicas":"many"}}`), want: "error"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newScaledWorld(t, c.rec...)
			if c.change != nil {
				c.change(w)
			}
			req := c.req
			if req == nil {
				req = create(deployment(2))
			}
			got := w.send(t, PathMutateWorkloads, req)
			if !got.Allowed || len(got.Patch) > 0 {
				t.Errorf("allowed=%v, patch %s; want admitted unchanged", got.Allowed, got.Patch)
			}
			if diff := cmp.Diff(map[string]int{"workloads " + c.want: 1}, w.outcomes(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
