package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func namespace(name, metadata string) string {
	return `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"` + name + `"` + metadata + `},"spec":{"finalizers":["kubernetes"]}}`
}

const (
	labelled = `,"labels":{"kubernetes.io/metadata.name":"shop","loadline.dev/admission":"enabled"}`
	plain    = `,"labels":{"kubernetes.io/metadata.name":"shop"}`
)

func annotated(mode string) string { return `,"annotations":{"loadline.dev/mode":"` + mode + `"}` }

func TestTheAdmissionLabelFollowsTheAnnotation(t *testing.T) {
	cases := map[string]struct {
		name, before, after string
		want                any
		warning             string
	}{
		"opting in":                             {after: plain + annotated("initial"), want: "enabled"},
		"opting in to auto without any labels":  {after: annotated("auto"), want: "enabled"},
		"a dry-run needs no admission":          {after: plain + annotated("dry-run")},
		"a mistyped mode opts nobody in":        {after: plain + annotated("Initial")},
		"opting out":                            {before: labelled + annotated("auto"), after: labelled},
		"going back to dry-run":                 {before: labelled + annotated("auto"), after: labelled + annotated("dry-run")},
		"nothing to do":                         {before: labelled + annotated("auto"), after: labelled + annotated("auto"), want: "enabled"},
		"a label with another value":            {after: `,"labels":{"loadline.dev/admission":"no"}` + annotated("auto"), want: "enabled"},
		"a label that somebody put on by hand":  {before: plain, after: labelled, warning: "sets it itself"},
		"kube-system never gets it":             {name: "kube-system", after: plain + annotated("auto")},
		"Loadline's own namespace never either": {name: "loadline-system", after: plain + annotated("auto")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.name == "" {
				c.name = "shop"
			}
			operation, old := admissionv1.Create, ""
			if c.before != "" {
				operation, old = admissionv1.Update, namespace(c.name, c.before)
			}
			got := w.send(t, PathMutateNamespaces, request(operation, "", "v1", "Namespace", c.name, namespace(c.name, c.after), old))
			if v := at(t, got.object, "metadata", "labels", v1alpha1.LabelAdmission); v != c.want {
				t.Errorf("label is %v, want %v", v, c.want)
			}
			if strings.Contains(c.after, `"labels":{"kubernetes`) && at(t, got.object, "metadata", "labels", "kubernetes.io/metadata.name") != "shop" {
				t.Error("another label is lost")
			}
			if (c.warning == "") != (len(got.Warnings) == 0) || !strings.Contains(strings.Join(got.Warnings, ""), c.warning) {
				t.Errorf("warnings %q, want %q", got.Warnings, c.warning)
			}
		})
	}
}

func TestANamespaceBeingDeletedKeepsItsLabel(t *testing.T) {
	w := newWorld(t)
	dying := namespace("shop", `,"deletionTimestamp":"2026-11-20T11:00:00Z"`+labelled)
	got := w.send(t, PathMutateNamespaces, request(admissionv1.Update, "", "v1", "Namespace", "shop", dying, dying))
	if len(got.Patch) > 0 {
		t.Errorf("patch %s, want none", got.Patch)
	}
}

// Both paths behave alike, for namespaces and for workloads.
func TestBadAnnotationsAreRefusedOnlyWhenTheyAreWritten(t *testing.T) {
	good, bad, worse := annotated("auto"), annotated("full"), annotated("whatever")
	cases := map[string]struct {
		before, after string
		want          string
	}{
		"a good one":                           {after: good, want: "allowed"},
		"none at all":                          {after: "", want: "allowed"},
		"a bad one on a new object":            {after: bad, want: "refused"},
		"a bad one that is added":              {before: plain, after: bad, want: "refused"},
		"a good one that turns bad":            {before: good, after: bad, want: "refused"},
		"a bad one that turns into another":    {before: bad, after: worse, want: "refused"},
		"a bad one that was there before":      {before: bad, after: bad, want: "warned"},
		"a bad one beside another change":      {before: bad, after: bad + plain, want: "warned"},
		"a bad one that is mended":             {before: bad, after: good, want: "allowed"},
		"a bad one that is removed":            {before: bad, after: "", want: "allowed"},
		"anything on what is being deleted":    {before: good, after: bad + `,"deletionTimestamp":"2026-11-20T11:00:00Z"`, want: "allowed"},
		"an unknown key under Loadline's name": {after: `,"annotations":{"loadline.dev/mod":"auto"}`, want: "refused"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, what := range []struct{ path, group, kind, handler string }{
				{PathValidateNamespaces, "", "Namespace", "validate-namespaces"},
				{PathValidateWorkloads, "apps", "Deployment", "validate-workloads"},
			} {
				w := newWorld(t)
				operation, old := admissionv1.Create, ""
				if c.before != "" {
					operation, old = admissionv1.Update, namespace("shop", c.before)
				}
				got := w.send(t, what.path, request(operation, what.group, "v1", what.kind, "shop", namespace("shop", c.after), old))
				if got.Allowed != (c.want != "refused") {
					t.Errorf("%s: allowed=%v, want %s", what.kind, got.Allowed, c.want)
				}
				if diff := cmp.Diff(map[string]int{what.handler + " " + c.want: 1}, w.outcomes(t)); diff != "" {
					t.Error(diff)
				}
				if c.want == "warned" && len(got.Warnings) == 0 {
					t.Error("no warning about what is bad already")
				}
			}
		})
	}
}

func TestARefusalSaysWhatIsLegal(t *testing.T) {
	w := newWorld(t)
	got := w.send(t, PathValidateNamespaces, request(admissionv1.Create, "", "v1", "Namespace", "shop",
		namespace("shop", `,"annotations":{"loadline.dev/mode":"full","loadline.dev/priority":"urgent"}`), ""))
	for _, part := range []string{"loadline.dev/mode", `"full"`, "dry-run", "loadline.dev/priority", `"urgent"`, "critical"} {
		if !strings.Contains(got.Result.Message, part) {
			t.Errorf("message %q does not name %s", got.Result.Message, part)
		}
	}
	if got.Result.Code != 422 {
		t.Errorf("code %d, want 422", got.Result.Code)
	}
}

func TestOptingInKubeSystemWarns(t *testing.T) {
	w := newWorld(t)
	got := w.send(t, PathValidateNamespaces, request(admissionv1.Create, "", "v1", "Namespace", "kube-system", namespace("kube-system", annotated("auto")), ""))
	if !got.Allowed || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "never sized") {
		t.Errorf("allowed=%v, warnings %q", got.Allowed, got.Warnings)
	}
}

func TestManyLongWarningsStayWithinWhatTheAPIServerPassesOn(t *testing.T) {
	w := newWorld(t)
	annotations := `,"annotations":{"a":"b"`
	for _, c := range "abcdefghijklmnopqrst" {
		annotations += `,"loadline.dev/` + string(c) + strings.Repeat("ä", 100) + `":"x"`
	}
	stored := namespace("shop", annotations+"}")
	got := w.send(t, PathValidateNamespaces, request(admissionv1.Update, "", "v1", "Namespace", "shop", stored, stored))
	total := 0
	for _, warning := range got.Warnings {
		total += len(warning)
		if len(warning) > 256 || !strings.HasSuffix(warning, "…") {
			t.Errorf("warning of %d bytes: %q", len(warning), warning)
		}
	}
	if !got.Allowed || total > 4096 || total == 0 {
		t.Errorf("allowed=%v with %d bytes of warnings", got.Allowed, total)
	}
}
