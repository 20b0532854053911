package recommender

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/forecast"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/recommender/guard"
)

// harmed is a workload whose first sizes were good for a day, and whose smaller ones then did harm.
func harmed(t *testing.T) (l *life, good, bad *v1alpha1.RevisionedValues) {
	t.Helper()
	l = checkout(t, 28*day)
	good = l.look().rec.Status.Applicable
	l.in.Applied = true
	l.now = l.now.Add(day)
	bad = l.uses(28*day, testkit.Daily(0.05, 0.1), testkit.Flat(100*mebibyte)).look().rec.Status.Applicable
	if bad.Revision == good.Revision {
		t.Fatal("nothing was lowered")
	}
	l.reports(bad.Revision)
	return l, good, bad
}

// reports makes the updater tell of harm, now.
func (l *life) reports(revision string) {
	l.in.Outcomes = append([]v1alpha1.Outcome{{
		Time: metav1.NewTime(l.now), Pod: "checkout-1", PodUID: "uid", Revision: revision, Result: v1alpha1.OutcomeFailed,
		Message: "container app of pod checkout-1: OOMKilled 1m0s after it got revision " + revision,
	}}, l.in.Outcomes...)
}

func TestAfterHarmTheLastGoodSizesComeBackWithTheEvidence(t *testing.T) {
	l, good, bad := harmed(t)
	s := l.after(time.Minute).look().rec.Status
	if diff := cmp.Diff(good.Containers[0].Target, s.Applicable.Containers[0].Target); diff != "" {
		t.Errorf("target (-good +given back):\n%s", diff)
	}
	if s.Rollback == nil || s.Rollback.Revision != bad.Revision || !strings.Contains(s.Rollback.Evidence, "OOMKilled") {
		t.Fatalf("rollback = %+v, want the evidence against %s", s.Rollback, bad.Revision)
	}
	if !strings.Contains(s.Display.Why, "taken back") {
		t.Errorf("why = %q, want people to read of it first", s.Display.Why)
	}
	if got := l.after(30 * time.Minute).look().rec.Status.Rollback; *got != *s.Rollback {
		t.Errorf("harm that was answered is answered again: %+v", got)
	}
}

func TestHarmCountsAlsoWhenAKillHasRaisedTheMemoryBefore(t *testing.T) {
	l, good, bad := harmed(t)
	outcomes := l.in.Outcomes
	l.in.Outcomes, l.in.OOMKills = nil, []OOMKill{{Container: "app", LimitBytes: 2048 * mebibyte, Time: l.now}}
	if raised := l.after(time.Second).look().rec.Status.Applicable; raised.Revision == bad.Revision {
		t.Fatal("the kill raised nothing")
	}
	l.in.Outcomes = outcomes
	s := l.after(time.Second).look().rec.Status
	if s.Rollback == nil || s.Rollback.Revision != bad.Revision || s.Applicable.Containers[0].Target.CPU.Cmp(*good.Containers[0].Target.CPU) != 0 {
		t.Errorf("rollback = %+v, target %v; want the CPU of before as well", s.Rollback, s.Applicable.Containers[0].Target.CPU)
	}
}

func TestEachRollbackInARowHoldsLongerAndAPersonMayEndIt(t *testing.T) {
	l, _, _ := harmed(t)
	for i, want := range []time.Duration{time.Hour, 4 * time.Hour, day, 7 * day, 7 * day} {
		r := l.after(time.Second).look().rec.Status.Rollback
		if got := r.Until.Sub(r.Time.Time); got != want {
			t.Errorf("rollback %d holds for %s, want %s", i+1, got, want)
		}
		released := metav1.NewTime(l.now.Add(time.Minute))
		l.rec.Spec.RollbackReleased = &released
		if r := l.after(2 * time.Minute).look().rec.Status.Rollback; r.Holds(l.now) {
			t.Fatalf("rollback %d still holds after a person released it", i+1)
		}
		l.reports(l.rec.Status.Applicable.Revision)
	}
}

func TestSizesForWhichAPolicyOfTheClusterRefusesNewPodsAreTakenBack(t *testing.T) {
	const ratio = `pods "checkout-1" is forbidden: ValidatingAdmissionPolicy 'ratio' with binding 'ratio' denied request: the CPU limit is more than twice the request`
	l := checkout(t, 28*day)
	asked := apply.ResourcesOf(l.in.Containers[0].Resources).Requests
	for message, want := range map[string]bool{
		ratio:                   true,
		"exceeded quota: small": false,
		`admission webhook "images.example.com" denied the request: the image is not signed`: false,
	} {
		l := checkout(t, 28*day)
		bad := l.look().rec.Status.Applicable
		if apply.FromAPI(bad).Containers[0].Target.CPUMillis >= asked.CPUMillis {
			t.Fatal("nothing was lowered")
		}
		l.in.Refused = message
		s := l.after(time.Minute).look().rec.Status
		if (s.Rollback != nil) != want {
			t.Errorf("rollback = %+v after %q", s.Rollback, message)
		}
		if !want {
			continue
		}
		if got := apply.FromAPI(s.Applicable).Containers[0].Target; got.CPUMillis < asked.CPUMillis || s.Rollback.Revision != bad.Revision || !strings.Contains(s.Rollback.Evidence, "twice the request") {
			t.Errorf("target %+v after %+v, want what the template asks for, %+v, and the policy's words", got, s.Rollback, asked)
		}
		l.in.Refused = ""
		if again := l.after(time.Hour / 2).look().rec.Status.Rollback; *again != *s.Rollback {
			t.Errorf("pods that come as they are written are blamed on sizes: %+v", again)
		}
	}
	l.in.Settings.Mode, l.in.Refused = v1alpha1.ModeDryRun, ratio
	l.look()
	if s := l.after(time.Minute).look().rec.Status; s.Rollback != nil {
		t.Errorf("a dry run is blamed: %+v", s.Rollback)
	}
}

// refusesLargePods is what a policy says that bounds memory.
const refusesLargePods = `create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'small' denied request: the memory limit is over 3Gi`

// raised is a workload that needs far more memory than it asks for, and less CPU, after its second look.
func raised(t *testing.T) *life {
	t.Helper()
	l := checkout(t, 28*day)
	l.in.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}
	l.uses(28*day, testkit.Flat(0.2), testkit.Flat(5000*mebibyte)).look()
	if cpu, memory := app(l.rec.Status.Applicable); cpu >= 2000 || memory <= 3000*mebibyte {
		t.Fatalf("%dm and %d bytes in force, want less CPU and more memory than the template has", cpu, memory)
	}
	return l
}

func TestPodsThatAPolicyRefusesBecauseTheyWereRaisedComeAsTheyAreWritten(t *testing.T) {
	l := raised(t)
	bad := l.rec.Status.Applicable.Revision
	l.in.Refused = refusesLargePods
	s := l.after(time.Minute).look().rec.Status
	if s.Rollback == nil || !s.Rollback.AsWritten || s.Rollback.Revision != bad {
		t.Fatalf("rollback = %+v, want %s taken back", s.Rollback, bad)
	}
	written := map[string]apply.Resources{"app": apply.ResourcesOf(l.in.Containers[0].Resources)}
	if apply.Changes(apply.FromAPI(s.Applicable), written) {
		t.Errorf("new pods get %+v instead of what they ask for", s.Applicable.Containers)
	}
	running := map[string]apply.Resources{"app": {
		Requests: apply.Amounts{CPUMillis: 200, MemoryBytes: 5000 * mebibyte}, Limits: apply.Amounts{MemoryBytes: 5000 * mebibyte},
	}}
	resized, err := apply.Resize(apply.FromAPI(s.Applicable), written, running)
	if got := resized["app"]; err != nil || got.Requests.MemoryBytes != 5000*mebibyte || got.Limits != running["app"].Limits {
		t.Errorf("a running pod is resized to %+v, %v; want it to keep its memory", got, err)
	}
	if _, memory := app(s.Candidate); memory <= 3000*mebibyte {
		t.Errorf("the candidate has %d bytes, want people to see what is needed", memory)
	}
	if f := s.Findings[0]; f.Type != FindingRolledBack || !strings.Contains(f.Message, "what their template asks for") || !strings.Contains(f.Message, "denied request") {
		t.Errorf("first finding = %+v, want people to read what new pods get, and why", f)
	}
	if f := s.Findings[1]; f.Type != guard.FindingCeilingBelowPeak || f.Container != "app" || !strings.Contains(f.Message, "limit of 2Gi") {
		t.Errorf("second finding = %+v, want people to read that this is too little", f)
	}
	if again := l.after(retried - 2*time.Minute).look().rec.Status.Rollback; *again != *s.Rollback {
		t.Errorf("a message that may be of the time before is taken for one about pods as they are written: %+v", again)
	}
	l.in.Refused = ""
	if again := l.after(20 * time.Minute).look().rec.Status.Rollback; *again != *s.Rollback {
		t.Errorf("pods that come as they are written changed the rollback: %+v", again)
	}
	if s := l.after(time.Hour).look().rec.Status; s.Applicable.Revision != s.Candidate.Revision {
		t.Errorf("after the hold %s is in force and not %s", s.Applicable.Revision, s.Candidate.Revision)
	}
	l.in.Refused = refusesLargePods
	if r := l.after(time.Minute).look().rec.Status.Rollback; r.Count != 2 || r.Until.Sub(r.Time.Time) != 4*time.Hour {
		t.Errorf("refused again: %+v, want it to hold for longer", r)
	}
}

func TestNeitherAKillNorAHoldNorHarmKeepsRefusedPodsFromComingAsTheyAreWritten(t *testing.T) {
	for name, happens := range map[string]func(*life){
		"a kill": func(l *life) {
			l.in.OOMKills = []OOMKill{{Container: "app", LimitBytes: 6 << 30, Time: l.now}}
		},
		"a hold": func(l *life) { l.rec.Spec.Hold = &v1alpha1.Hold{Reason: "audit"} },
		"harm":   func(l *life) { l.reports(l.rec.Status.Rollback.Revision) },
		"an approval that is missing": func(l *life) {
			l.in.Settings.Approval = v1alpha1.ApprovalManual
		},
		"a Prometheus that does not answer": func(l *life) { l.in.HistoryProblem = "no answer" },
	} {
		t.Run(name, func(t *testing.T) {
			l := raised(t)
			l.in.Refused = refusesLargePods
			l.after(time.Minute).look().after(time.Minute)
			happens(l)
			s := l.look().after(time.Minute).look().rec.Status
			written := map[string]apply.Resources{"app": apply.ResourcesOf(l.in.Containers[0].Resources)}
			if !s.Rollback.AsWritten || apply.Changes(apply.FromAPI(s.Applicable), written) {
				t.Errorf("after %+v new pods get %+v", s.Rollback, s.Applicable.Containers)
			}
		})
	}
}

// refusesAnyPod is what a policy says that has nothing to do with what Loadline recommends, and speaks of sizes all the same.
const refusesAnyPod = `admission webhook "policy.example.com" denied the request: container <istio-proxy> has no memory limit`

func TestARefusalThatSizesDidNotCauseTakesNothingFromPodsForLonger(t *testing.T) {
	l := raised(t)
	l.in.Refused = refusesAnyPod
	if s := l.after(time.Minute).look().rec.Status; !s.Rollback.AsWritten || !s.Rollback.Holds(l.now) {
		t.Fatalf("rollback = %+v, want what the template asks for tried", s.Rollback)
	}
	s := l.after(retried).look().rec.Status
	if _, memory := app(s.Applicable); memory <= 5000*mebibyte || s.Rollback.Holds(l.now) || !strings.Contains(s.Rollback.Evidence, "as they are written, too") {
		t.Fatalf("pods are refused as they are written, too: %d MiB in force after %+v", memory/mebibyte, s.Rollback)
	}
	without := 0
	for end := l.now.Add(day); l.now.Before(end); {
		if s = l.after(20 * time.Minute).look().rec.Status; s.Rollback.Holds(l.now) {
			without++
		}
	}
	if without == 0 || without > 6 || s.Rollback.Count != 1 {
		t.Errorf("%d of 72 looks without the sizes, count %d; want them doubted for 20 minutes every 4 hours, and no longer each time", without, s.Rollback.Count)
	}
	l.in.Refused = ""
	s = l.after(time.Hour).look().rec.Status
	if _, memory := app(s.Applicable); memory <= 5000*mebibyte || s.Rollback.NotSizes {
		t.Errorf("an hour after the repair %d MiB are in force: %+v", memory/mebibyte, s.Rollback)
	}
	l.in.Refused = refusesLargePods
	if s = l.after(time.Minute).look().rec.Status; !s.Rollback.Holds(l.now) || !s.Rollback.AsWritten {
		t.Errorf("the next refusal may be about sizes: %+v", s.Rollback)
	}
}

// refusesWithoutAWord is what a policy says that gives no reason.
const refusesWithoutAWord = `admission webhook "policy.example.com" denied the request: see rule 7 of the platform`

// suspected is a workload whose new pods have been refused for ten minutes without a word about sizes.
func suspected(t *testing.T) *life {
	t.Helper()
	l := raised(t)
	l.in.Refused, l.in.RefusedSince = refusesWithoutAWord, l.now
	if s := l.after(suspectedAfter - time.Minute).look().rec.Status; s.Rollback != nil {
		t.Fatalf("rollback = %+v before people had time to look", s.Rollback)
	}
	s := l.after(time.Minute).look().rec.Status
	if s.Rollback == nil || !s.Rollback.AsWritten || !s.Rollback.Holds(l.now) || l.in.sized(MemoryOf(s).Applicable) {
		t.Fatalf("rollback = %+v, %+v in force; want what the template asks for tried", s.Rollback, s.Applicable)
	}
	return l
}

func TestARefusalWithoutAWordAboutSizesIsTriedWithPodsAsTheyAreWrittenOnce(t *testing.T) {
	l := suspected(t)
	s := l.rec.Status
	written := map[string]apply.Resources{"app": apply.ResourcesOf(l.in.Containers[0].Resources)}
	running := map[string]apply.Resources{"app": {
		Requests: apply.Amounts{CPUMillis: 200, MemoryBytes: 5000 * mebibyte}, Limits: apply.Amounts{MemoryBytes: 5000 * mebibyte},
	}}
	if resized, err := apply.Resize(apply.FromAPI(s.Applicable), written, running); err != nil || resized["app"] != running["app"] {
		t.Errorf("a running pod is resized to %+v, %v; want it left alone", resized["app"], err)
	}
	if f := s.Findings[0]; f.Type != FindingRolledBack || !strings.Contains(f.Message, "rule 7") || !strings.Contains(f.Message, "to see whether") {
		t.Errorf("first finding = %+v, want people to read what is tried, and why", f)
	}
	s = l.after(retried).look().rec.Status
	if _, memory := app(s.Applicable); memory <= 5000*mebibyte || s.Rollback.Holds(l.now) {
		t.Fatalf("pods are refused as they are written, too: %d MiB in force after %+v", memory/mebibyte, s.Rollback)
	}
	for end := l.now.Add(day); l.now.Before(end); {
		if s = l.after(20 * time.Minute).look().rec.Status; s.Rollback.Holds(l.now) {
			t.Fatalf("tried again: %+v", s.Rollback)
		}
		if !slices.ContainsFunc(s.Findings, func(f v1alpha1.Finding) bool {
			return f.Type == FindingPodsRefused && f.Severity == v1alpha1.SeverityWarning && strings.Contains(f.Message, "as they are written, too")
		}) {
			t.Fatalf("findings %+v, want people to read that new pods are refused", s.Findings)
		}
	}
	l.in.Refused = ""
	if s = l.after(time.Hour).look().rec.Status; slices.ContainsFunc(s.Findings, func(f v1alpha1.Finding) bool { return f.Type == FindingPodsRefused }) {
		t.Errorf("pods come, and %+v", s.Findings)
	}
}

func TestPodsThatComeAsTheyAreWrittenProveThatTheirSizesWereRefused(t *testing.T) {
	l := suspected(t)
	l.in.Refused = ""
	if s := l.after(30 * time.Minute).look().rec.Status; !s.Rollback.Holds(l.now) || l.in.sized(MemoryOf(s).Applicable) {
		t.Errorf("after half an hour %+v is in force: %+v", s.Applicable, s.Rollback)
	}
	s := l.after(time.Hour).look().rec.Status
	if _, memory := app(s.Applicable); memory <= 5000*mebibyte {
		t.Errorf("after the hold %d MiB are in force", memory/mebibyte)
	}
	l.in.Refused, l.in.RefusedSince = refusesWithoutAWord, l.now
	if r := l.after(suspectedAfter).look().rec.Status.Rollback; r.Count != 2 || r.Until.Sub(r.Time.Time) != 4*time.Hour {
		t.Errorf("refused again: %+v, want it to hold for longer", r)
	}
}

func TestARefusalWithoutAWordThatGoesAwayByItselfCostsLittle(t *testing.T) {
	for name, killed := range map[string]bool{"nothing else happens": false, "pods lack memory as they are written": true} {
		t.Run(name, func(t *testing.T) {
			l := suspected(t)
			for episode := range 3 { // such as those of a policy that asks a registry, two days apart
				l.in.Refused = ""
				asWritten := time.Duration(0)
				for begin := l.now; l.now.Sub(begin) < 48*time.Hour; l.look() {
					step := 5 * time.Minute
					if l.now.Sub(begin) >= 3*time.Hour {
						step = time.Hour
					}
					l.after(step)
					l.in.OOMKills = nil
					if l.in.sized(MemoryOf(l.rec.Status).Applicable) {
						continue
					}
					asWritten += step
					if killed {
						l.in.OOMKills = []OOMKill{{Container: "app", LimitBytes: 2 << 30, Time: l.now}}
					}
				}
				most := time.Hour
				if killed {
					most = 5 * time.Minute
				}
				if asWritten > most {
					t.Errorf("episode %d: pods came as they are written for %s, want at most %s", episode, asWritten, most)
				}
				l.in.Refused, l.in.RefusedSince = refusesWithoutAWord, l.now
				l.after(suspectedAfter).look()
			}
		})
	}
}

func TestPodsOfTheNextVersionProveNothingAboutSizes(t *testing.T) {
	l := suspected(t)
	l.in.Refused, l.in.Containers[0].Image = "", "registry.example.com/app:2"
	if s := l.after(time.Minute).look().rec.Status; s.Rollback.Holds(l.now) || !l.in.sized(MemoryOf(s).Applicable) {
		t.Errorf("%+v in force: %+v", s.Applicable, s.Rollback)
	}
}

func TestARefusalThatCannotBeAboutSizesIsNotTried(t *testing.T) {
	for _, message := range []string{
		`pods "web-1" is forbidden: exceeded quota: small, requested: requests.cpu=1, used: requests.cpu=2, limited: requests.cpu=2`,
		`Internal error occurred: failed calling webhook "policy.example.com": context deadline exceeded`,
		`pods "web-" is forbidden: error looking up service account shop/web: serviceaccount "web" not found`,
		`pods "web-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true`,
		`etcdserver: request timed out`,
	} {
		l := raised(t)
		l.in.Refused, l.in.RefusedSince = message, l.now
		if s := l.after(day).look().rec.Status; s.Rollback != nil {
			t.Errorf("rollback = %+v after %q", s.Rollback, message)
		}
	}
}

func TestHarmWhileARefusalIsTriedIsGivenBackToRunningPods(t *testing.T) {
	l := suspected(t).after(time.Second)
	l.reports(l.rec.Status.Rollback.Revision)
	if r := l.after(time.Minute).look().rec.Status.Rollback; r.Suspected || !r.AsWritten {
		t.Errorf("rollback = %+v", r)
	}
}

func TestAPodThatCameAsItIsWrittenAndIsEndedForLackOfMemoryGetsItsSizesBackInALongHold(t *testing.T) {
	for name, c := range map[string]struct {
		kill  OOMKill
		after time.Duration
		back  bool
	}{
		"killed with what the template allows":  {OOMKill{Container: "app", LimitBytes: 2 << 30}, blamedAgain, true},
		"evicted with what the template allows": {OOMKill{Container: "app", LimitBytes: 1900 * mebibyte, MostBytes: 2 << 30}, blamedAgain, true},
		"killed soon":                           {OOMKill{Container: "app", LimitBytes: 2 << 30}, blamedAgain - time.Minute, false},
		"killed with more":                      {OOMKill{Container: "app", LimitBytes: 6 << 30}, blamedAgain, false},
		"killed with less":                      {OOMKill{Container: "app", LimitBytes: 345 * mebibyte}, blamedAgain, false},
		"another container":                     {OOMKill{Container: "injected", LimitBytes: 1 << 20}, blamedAgain, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := raised(t)
			for range 3 { // The third hold is one of a day.
				l.in.Refused = refusesLargePods
				l.after(time.Minute).look()
				l.in.Refused = ""
				if r := l.rec.Status.Rollback; r.Count < 3 {
					l.after(r.Until.Sub(l.now)).look()
				}
			}
			l.after(c.after)
			c.kill.Time = l.now
			l.in.OOMKills = []OOMKill{c.kill}
			_, memory := app(l.look().rec.Status.Applicable)
			if back := memory > 5000*mebibyte; back != c.back {
				t.Errorf("%d MiB in force", memory/mebibyte)
			}
		})
	}
}

func TestPodsThatAreKilledAsTheyAreWrittenAreHardlyEverRefusedForIt(t *testing.T) {
	l := raised(t)
	written := map[string]apply.Resources{"app": apply.ResourcesOf(l.in.Containers[0].Resources)}
	refused := 0
	for end := l.now.Add(day); l.now.Before(end); l.look() {
		l.after(2 * time.Minute)
		l.in.Refused, l.in.OOMKills = "", nil
		if apply.Changes(apply.FromAPI(l.rec.Status.Applicable), written) {
			l.in.Refused, refused = refusesLargePods, refused+1
			continue
		}
		l.in.OOMKills = []OOMKill{{Container: "app", LimitBytes: 2 << 30, Time: l.now}}
	}
	if refused == 0 || refused > 10 {
		t.Errorf("new pods were refused at %d of 720 looks, want at most one every few hours", refused)
	}
}

func TestSizesThatAPersonHoldsOrApprovedComeBackAfterARefusal(t *testing.T) {
	for name, decides := range map[string]func(*life){
		"held": func(l *life) { l.rec.Spec.Hold = &v1alpha1.Hold{Reason: "audit"} },
		"approved": func(l *life) {
			l.in.Settings.Approval = v1alpha1.ApprovalManual
			l.rec.Spec.ApprovedRevision = l.rec.Status.Applicable.Revision
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := raised(t)
			decides(l)
			before := l.after(time.Minute).look().rec.Status.Applicable
			l.in.Refused = refusesLargePods
			if s := l.after(time.Minute).look().rec.Status; s.Applicable.Revision == before.Revision || s.Memory.Withheld.Revision != before.Revision {
				t.Fatalf("%s in force and %+v kept, want %s put aside", s.Applicable.Revision, s.Memory.Withheld, before.Revision)
			}
			l.in.Refused = ""
			l.after(30 * time.Minute).look()
			s := l.after(time.Hour).look().rec.Status
			if diff := cmp.Diff(before.Containers, s.Applicable.Containers); diff != "" || s.Applicable.Revision != before.Revision || s.Memory.Withheld != nil {
				t.Errorf("after the hold %s is in force and not %s (-before +after):\n%s", s.Applicable.Revision, before.Revision, diff)
			}
		})
	}
}

func TestSevenQuietDaysMakeTheNextRollbackTheFirst(t *testing.T) {
	l, _, _ := harmed(t)
	l.look()
	l.after(8*day + time.Hour).look()
	l.reports(l.rec.Status.Applicable.Revision)
	if r := l.after(time.Second).look().rec.Status.Rollback; r.Count != 1 {
		t.Errorf("count = %d, want 1", r.Count)
	}
}

func TestARollbackNeverGivesLessMemoryThanAKillOrAPeakDemands(t *testing.T) {
	l, _, _ := harmed(t)
	l.in.OOMKills = []OOMKill{{Container: "app", LimitBytes: 4096 * mebibyte, Time: l.now}}
	_, memory := app(l.look().rec.Status.Applicable)
	if want := oomFloorBytes(4096 * mebibyte); memory < want {
		t.Errorf("memory = %d MiB, a kill demands %d MiB", memory/mebibyte, want/mebibyte)
	}
}

func TestWithoutAnythingGoodThatIsKnownTheTemplateComesBack(t *testing.T) {
	l := checkout(t, 28*day)
	l.look()
	l.reports(l.rec.Status.Applicable.Revision)
	if cpu, memory := app(l.after(time.Minute).look().rec.Status.Applicable); cpu != 2000 || memory != 2048*mebibyte {
		t.Errorf("given back %dm and %d MiB, want the 2 cores and 2 GiB of the template", cpu, memory/mebibyte)
	}
}

func TestUnderManualApprovalWhatIsGivenBackNeedsNone(t *testing.T) {
	l, good, _ := harmed(t)
	l.in.Settings.Approval = v1alpha1.ApprovalManual
	s := l.after(time.Minute).look().rec.Status
	if diff := cmp.Diff(good.Containers[0].Target, s.Applicable.Containers[0].Target); diff != "" {
		t.Errorf("target (-good +given back):\n%s", diff)
	}
}

func TestHoweverOftenAndWhateverDoesHarmRollbacksComeToRest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l, _, _ := harmed(t)
		for range rapid.IntRange(1, 6).Draw(rt, "looks") {
			l.after(time.Duration(rapid.IntRange(1, 600).Draw(rt, "minutes")) * time.Minute).look()
			if rapid.Bool().Draw(rt, "harm") {
				l.reports(l.rec.Status.Applicable.Revision)
			}
		}
		settled := l.after(time.Minute).look().rec.Status
		for range 3 {
			s := l.after(time.Minute).look().rec.Status
			// What runs goes on following the hour, and new pods what is recommended once the hold is over.
			given := !l.now.Before(s.Rollback.Until.Time) || cmp.Equal(s.Applicable.Containers[0].Target, settled.Applicable.Containers[0].Target)
			if s.Rollback.Count != settled.Rollback.Count || !s.Rollback.Time.Equal(&settled.Rollback.Time) || !given {
				rt.Fatalf("still moving without new harm: %+v after %+v", s.Rollback, settled.Rollback)
			}
		}
	})
}

func TestAHealthSignalIsWorseWhenItsMedianIsAboveAlmostAllThatWasBefore(t *testing.T) {
	steady := func(v float64, n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = v + 0.01*float64(i%3)
		}
		return out
	}
	for name, c := range map[string]struct {
		before, after []float64
		want          bool
	}{
		"the same":                             {steady(1, 60), steady(1, 8), false},
		"twice as slow":                        {steady(1, 60), steady(2, 8), true},
		"a tenth slower":                       {steady(1, 60), steady(1.1, 8), false},
		"one spike after the change":           {steady(1, 60), append(steady(1, 7), 50), false},
		"one spike before the change":          {append(steady(1, 59), 50), steady(2, 8), true},
		"slow every other minute before":       {append(steady(1, 30), steady(3, 30)...), steady(2, 8), false},
		"errors where there were none":         {make([]float64, 60), steady(0.01, 8), true},
		"no errors where there were some":      {steady(0.5, 60), make([]float64, 8), false},
		"no errors, as before":                 {make([]float64, 60), make([]float64, 8), false},
		"less than before":                     {steady(2, 60), steady(1, 8), false},
		"as bad as a tenth of the time before": {append(steady(1, 54), steady(4, 6)...), steady(3, 8), false},
	} {
		if got := above(c.before, c.after); got != c.want {
			t.Errorf("%s: worse = %v, want %v", name, got, c.want)
		}
	}
}

// latency answers every query with a series that changes at a moment.
type latency struct {
	at            time.Time
	before, after float64
}

func (p latency) QueryRange(_ context.Context, _ string, r promv1.Range, _ ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	stream := &model.SampleStream{}
	for t := r.Start; !t.After(r.End); t = t.Add(r.Step) {
		v := p.before
		if !t.Before(p.at) {
			v = p.after
		}
		stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(t.UnixNano()), Value: model.SampleValue(v)})
	}
	return model.Matrix{stream}, nil, nil, nil
}

func TestHealthSignalsPassOrTakeBack(t *testing.T) {
	for name, c := range map[string]struct {
		after        float64
		passed, back bool
	}{"as before": {0.2, true, false}, "three times as slow": {0.6, false, true}} {
		t.Run(name, func(t *testing.T) {
			l, good, bad := harmed(t)
			l.in.Outcomes = []v1alpha1.Outcome{{Time: metav1.NewTime(l.now), Pod: "checkout-1", Revision: bad.Revision, Result: v1alpha1.OutcomeResized, Lowers: true}}
			l.in.Policy.Signals = []v1alpha1.Signal{{Name: "latency", PromQL: "latency", Role: v1alpha1.SignalHealth}}
			e := &Engine{Querier: latency{l.now, 0.2, c.after}}
			l.after(10 * time.Minute)
			l.in.Health = e.health(t.Context(), l.in, MemoryOf(l.rec.Status), l.now)
			s := l.look().rec.Status
			if passed := s.Health != nil && s.Health.Revision == bad.Revision; passed != c.passed {
				t.Errorf("passed = %v, want %v", passed, c.passed)
			}
			if back := cmp.Equal(s.Applicable.Containers[0].Target, good.Containers[0].Target); back != c.back {
				t.Errorf("taken back = %v, want %v: %+v", back, c.back, s.Rollback)
			}
		})
	}
}

func TestThrottlingAfterCPUWasLoweredTakesItBack(t *testing.T) {
	for name, c := range map[string]struct {
		after float32
		back  bool
	}{"as before": {0.05, false}, "a little more": {0.12, false}, "a quarter of the time": {0.25, true}} {
		t.Run(name, func(t *testing.T) {
			l, _, bad := harmed(t)
			change := l.now
			l.in.Outcomes = []v1alpha1.Outcome{{Time: metav1.NewTime(change), Pod: "checkout-1", Revision: bad.Revision, Result: v1alpha1.OutcomeResized, Lowers: true}}
			past := l.in.History.Containers["app"]
			past.Throttled.Recent = forecast.Series{Start: change.Add(-time.Hour), Step: 5 * time.Minute, Values: make([]float32, 15)}
			for i := range past.Throttled.Recent.Values {
				past.Throttled.Recent.Values[i] = 0.05
				if i >= 12 {
					past.Throttled.Recent.Values[i] = c.after
				}
			}
			l.in.History.Containers["app"] = past
			got := (&Engine{}).health(t.Context(), l.in, MemoryOf(l.rec.Status), change.Add(15*time.Minute))
			if (got.Worse != "") != c.back {
				t.Errorf("worse = %q, want something: %v", got.Worse, c.back)
			}
		})
	}
}

// bounded answers like Prometheus, which refuses more than 11,000 values of a series.
type bounded struct{ latency }

func (p bounded) QueryRange(ctx context.Context, query string, r promv1.Range, options ...promv1.Option) (model.Value, promv1.Warnings, promv1.Infos, error) {
	if r.End.Sub(r.Start)/r.Step > 11000 {
		return nil, nil, nil, errors.New("exceeded maximum resolution of 11,000 points per timeseries")
	}
	return p.latency.QueryRange(ctx, query, r, options...)
}

func TestSignalsThatCouldNotBeReadForWeeksAreComparedWhenTheyCan(t *testing.T) {
	l, _, bad := harmed(t)
	l.in.Outcomes = []v1alpha1.Outcome{{Time: metav1.NewTime(l.now), Pod: "checkout-1", Revision: bad.Revision, Result: v1alpha1.OutcomeResized, Lowers: true}}
	l.in.Policy.Signals = []v1alpha1.Signal{{Name: "latency", PromQL: "latency", Role: v1alpha1.SignalHealth}}
	e := &Engine{Querier: bounded{latency{l.now, 0.2, 0.2}}}
	if h := e.health(t.Context(), l.in, MemoryOf(l.rec.Status), l.now.Add(14*day)); !h.Passed {
		t.Errorf("health = %+v, want the signals compared", h)
	}
}
