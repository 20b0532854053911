package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

func toJSON(t *testing.T, obj any) string {
	t.Helper()
	text, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func ownKind(t *testing.T, w *world, kind string, obj, old any) reply {
	t.Helper()
	operation, before := admissionv1.Create, ""
	if old != nil {
		operation, before = admissionv1.Update, toJSON(t, old)
	}
	return w.send(t, PathValidateLoadline, request(operation, v1alpha1.Group, "v1alpha1", kind, "shop", toJSON(t, obj), before))
}

func expect(t *testing.T, got reply, message string) {
	t.Helper()
	if got.Allowed != (message == "") {
		t.Fatalf("allowed=%v, want %q", got.Allowed, message)
	}
	if message != "" && !strings.Contains(got.Result.Message, message) {
		t.Errorf("message %q does not say %q", got.Result.Message, message)
	}
}

func TestOnlyARevisionThatExistsCanBeApproved(t *testing.T) {
	stored := recommend("Deployment", "checkout")
	stored.Status.Candidate = &v1alpha1.RevisionedValues{Revision: "cccccccc"}
	stored.Spec.ApprovedRevision = "99999999"
	cases := map[string]string{
		"cccccccc": "",
		"aaaaaaaa": "",
		"":         "",
		"99999999": "", // Was approved before, and is gone since.
		"eeeeeeee": `spec.approvedRevision "eeeeeeee" is refused: there is no such revision; legal: cccccccc, aaaaaaaa, or nothing`,
	}
	for revision, want := range cases {
		t.Run("revision "+revision, func(t *testing.T) {
			changed := stored.DeepCopy()
			changed.Spec.ApprovedRevision = revision
			expect(t, ownKind(t, newWorld(t), "Recommendation", changed, stored), want)
		})
	}
}

func TestNothingCanBeApprovedBeforeSizesAreComputed(t *testing.T) {
	stored := recommend("Deployment", "checkout", func(r *v1alpha1.Recommendation) { r.Status = v1alpha1.RecommendationStatus{} })
	changed := stored.DeepCopy()
	changed.Spec.ApprovedRevision = "eeeeeeee"
	expect(t, ownKind(t, newWorld(t), "Recommendation", changed, stored), "no sizes were computed yet")
}

// A status that somebody sends along does not make a revision exist: what counts is what is stored.
func TestAStatusThatIsSentAlongApprovesNothing(t *testing.T) {
	stored := recommend("Deployment", "checkout")
	changed := stored.DeepCopy()
	changed.Spec.ApprovedRevision = "eeeeeeee"
	changed.Status.Candidate = &v1alpha1.RevisionedValues{Revision: "eeeeeeee"}
	expect(t, ownKind(t, newWorld(t), "Recommendation", changed, stored), "there is no such revision")
}

func TestARecommendationIsNamedAfterItsWorkload(t *testing.T) {
	good := recommend("Deployment", "checkout")
	good.Spec.ApprovedRevision = "eeeeeeee" // As restored from a backup.
	expect(t, ownKind(t, newWorld(t), "Recommendation", good, nil), "")

	bad := good.DeepCopy()
	bad.Name = "mine"
	expect(t, ownKind(t, newWorld(t), "Recommendation", bad, nil), `called "deployment-checkout"`)
}

func TestARecommendationBeingDeletedIsNotChecked(t *testing.T) {
	stored := recommend("Deployment", "checkout")
	changed := stored.DeepCopy()
	changed.DeletionTimestamp = new(metav1.NewTime(noon))
	changed.Spec.ApprovedRevision = "eeeeeeee"
	expect(t, ownKind(t, newWorld(t), "Recommendation", changed, stored), "")
}

func TestAHoldThatIsOverWarns(t *testing.T) {
	stored := recommend("Deployment", "checkout")
	changed := stored.DeepCopy()
	changed.Spec.Hold = &v1alpha1.Hold{Reason: "sale", Until: new(metav1.NewTime(noon.Add(-1)))}
	got := ownKind(t, newWorld(t), "Recommendation", changed, stored)
	if !got.Allowed || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "nothing is held") {
		t.Errorf("allowed=%v, warnings %q", got.Allowed, got.Warnings)
	}
}

func policy(windows []v1alpha1.Window, queries ...string) *v1alpha1.SizingPolicy {
	p := &v1alpha1.SizingPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "default"}}
	p.Spec.Disruption.Windows = windows
	for _, q := range queries {
		p.Spec.Signals = append(p.Spec.Signals, v1alpha1.Signal{Name: "rps", PromQL: q, Role: v1alpha1.SignalDriver})
	}
	return p
}

func TestWindowsMustHappenSomewhere(t *testing.T) {
	cases := map[string]struct {
		start, zone string
		want        string
	}{
		"every night":                  {start: "0 2 * * *"},
		"on weekdays in Berlin":        {start: "30 1 * * 1-5", zone: "Europe/Berlin"},
		"a minute that does not exist": {start: "61 2 * * *", want: `start "61 2 * * *" is refused`},
		"on the 30th of February":      {start: "0 0 30 2 *", want: "does not happen"},
		"a zone in the expression":     {start: "TZ=Asia/Tokyo 2 * * *", want: "belongs into timeZone"},
		"words":                        {start: "every night at two please", want: "minute hour day-of-month month day-of-week"},
		"a zone that does not exist":   {start: "0 2 * * *", zone: "Europe/Atlantis", want: `timeZone "Europe/Atlantis" is refused`},
		"the zone of the machine":      {start: "0 2 * * *", zone: "Local", want: "depends on the machine"},
		"a path as a zone":             {start: "0 2 * * *", zone: "../etc/passwd", want: "is refused"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			expect(t, ownKind(t, newWorld(t), "SizingPolicy", policy([]v1alpha1.Window{{Start: c.start, TimeZone: c.zone}}), nil), c.want)
		})
	}
}

func TestObviousMistakesInQueriesAreFound(t *testing.T) {
	cases := map[string]string{
		`sum(rate(http_requests_total{namespace="$namespace",pod=~"$workload-.*"}[5m]))`: "",
		`up{path=~"/a\"b$"}`:           "",
		"up{path=~`\\d+$`}":            "",
		`sum(rate(x[5m])`:              "')' is missing",
		`sum(x))`:                      "does not close anything",
		`x{a="b]`:                      "does not end",
		`x[5m)`:                        "does not close anything",
		`x{namespace="$team"}`:         "nobody replaces $team",
		`x{namespace="$namespaceName"`: "'}' is missing",
	}
	for query, want := range cases {
		t.Run(query, func(t *testing.T) {
			expect(t, ownKind(t, newWorld(t), "SizingPolicy", policy(nil, query), nil), want)
		})
	}
}

func TestAnOldMistakeInAPolicyBlocksNoOtherChange(t *testing.T) {
	bad := v1alpha1.Window{Start: "0 0 30 2 *"}
	good := v1alpha1.Window{Start: "0 2 * * *"}
	w := newWorld(t)

	got := ownKind(t, w, "SizingPolicy", policy([]v1alpha1.Window{good, bad}), policy([]v1alpha1.Window{bad}))
	expect(t, got, "")
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "0 0 30 2 *") {
		t.Errorf("warnings %q do not name the old mistake", got.Warnings)
	}
	expect(t, ownKind(t, w, "SizingPolicy", policy([]v1alpha1.Window{bad}), policy([]v1alpha1.Window{good})), "does not happen")

	dying := policy([]v1alpha1.Window{bad})
	dying.DeletionTimestamp = new(metav1.NewTime(noon))
	expect(t, ownKind(t, w, "SizingPolicy", dying, policy(nil)), "")
}

func TestOtherKindsAndSubresourcesPass(t *testing.T) {
	w := newWorld(t)
	expect(t, w.send(t, PathValidateLoadline, request(admissionv1.Create, "example.com", "v1", "SizingPolicy", "shop", `{}`, "")), "")
	expect(t, w.send(t, PathValidateLoadline, request(admissionv1.Create, v1alpha1.Group, "v2", "Something", "shop", `{}`, "")), "")
	expect(t, w.send(t, PathValidateLoadline, request(admissionv1.Delete, v1alpha1.Group, "v1alpha1", "Recommendation", "shop", ``, toJSON(t, recommend("Deployment", "a")))), "")
	expect(t, w.send(t, PathValidateLoadline, request(admissionv1.Create, v1alpha1.Group, "v1alpha1", "Recommendation", "shop", `{"spec":7}`, "")), "")
}
