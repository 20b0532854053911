package testkit

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// Hostile is a text that would be a script, if somebody showed it as anything but text.
const Hostile = `<script>alert("loadline")</script><img src=x onerror=alert(1)>`

// Recommendations returns n of them as a busy cluster has them: in namespaces of about a hundred, in all modes, most calm, and one
// in some number of them with each kind of trouble. The same n and now always give the same.
func Recommendations(n int, now time.Time) []v1alpha1.Recommendation {
	all := make([]v1alpha1.Recommendation, n)
	for i := range all {
		all[i] = *Recommendation(i, now)
	}
	return all
}

// Recommendation returns the one with number i of Recommendations.
func Recommendation(i int, now time.Time) *v1alpha1.Recommendation {
	kind := pick(i, "Deployment", "Deployment", "Deployment", "StatefulSet", "DaemonSet")
	name := fmt.Sprintf("%s-%04d", pick(i*7, "checkout", "payments", "search", "cart", "catalog", "mail", "ledger", "images"), i)
	at := func(ago time.Duration) metav1.Time {
		return metav1.Time{Time: now.Add(-ago).UTC().Truncate(time.Second)}
	}
	request, replicas := int64(200+50*(i%37)), int32(1+i%9)
	target := request * int64(40+(i*13)%75) / 100
	memory, memoryTarget := int64(256+64*(i%29))<<20, int64(256+64*(i%29))<<20*int64(55+(i*17)%60)/100
	sizes := &v1alpha1.RevisionedValues{
		Revision: fmt.Sprintf("%016x", 0x3f1c0a9b2d4e0000+i), ComputedTime: at(3 * time.Hour),
		Containers: []v1alpha1.ContainerValues{{
			Name: "app", Target: amountsOf(target, memoryTarget), InPlace: amountsOf(target*9/10, memoryTarget),
			Band: v1alpha1.Band{
				CPU:    &v1alpha1.Interval{Min: *millis(target * 8 / 10), Max: *millis(target * 12 / 10)},
				Memory: &v1alpha1.Interval{Min: *bytes(memoryTarget * 9 / 10), Max: *bytes(memoryTarget * 11 / 10)},
			},
			Limits: v1alpha1.Limits{Memory: &v1alpha1.Limit{Policy: v1alpha1.LimitHeadroom, Value: bytes(memoryTarget * 12 / 10)}},
		}},
	}
	rec := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("team-%02d", i/100), Name: v1alpha1.RecommendationName(kind, name)},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: kind, Name: name}},
		Status: v1alpha1.RecommendationStatus{
			Mode: v1alpha1.Mode(pick(i/3, "auto", "auto", "dry-run", "initial")), ModeFrom: "namespace annotation loadline.dev/mode", Approval: v1alpha1.ApprovalAutomatic,
			ObservedTime: new(at(time.Hour)), Revision: sizes.Revision, Candidate: sizes, Applicable: sizes,
			Current: &v1alpha1.CurrentValues{Replicas: new(replicas), Containers: []v1alpha1.CurrentContainer{{
				Name: "app", Requests: amountsOf(request, memory), Limits: v1alpha1.ResourceAmounts{Memory: bytes(memory * 2)},
			}}},
			Replicas: &v1alpha1.ReplicaStatus{Current: replicas},
			Savings:  &v1alpha1.Savings{CPU: *millis((request - target) * int64(replicas)), Memory: *bytes((memory - memoryTarget) * int64(replicas))},
			Display:  v1alpha1.Display{Why: fmt.Sprintf("p95 per pod of the last 14.0 days is %.3f cores; plus 16 %% margin: %dm", float64(target)/1160, target)},
			Forecast: []v1alpha1.ForecastStatus{{
				Container: "app", HistoryHours: 336, HorizonHours: 48, Peak: millis(target * int64(replicas)), PeakTime: new(at(-5 * time.Hour)),
				Weights:              []v1alpha1.ModelWeight{{Model: "holt-winters-24", Percent: 62}, {Model: "ar-fourier", Percent: 38}},
				BacktestErrorPercent: new(int32(9)), CoveragePercent: new(int32(95)),
			}},
			Trail: []string{
				"Mode auto: namespace annotation loadline.dev/mode.",
				fmt.Sprintf("app: CPU: p95 per pod of the last 14.0 days is %.3f cores; plus 16 %% margin: %dm.", float64(target)/1160, target),
				fmt.Sprintf("app: Memory: the largest working set of 336 hours is %d MiB; plus 15 %% margin.", memoryTarget*100/115>>20),
				fmt.Sprintf("app: cpu request %dm → %dm [change]", request, target),
			},
			Conditions: []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSized, Message: "sized", LastTransitionTime: at(90 * time.Hour)},
				{Type: v1alpha1.ConditionApplied, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUpToDate, Message: "all pods carry their sizes", LastTransitionTime: at(3 * time.Hour)},
			},
		},
	}
	trouble(rec, i, at)
	return rec
}

// trouble gives some of the Recommendations what a person has to see.
func trouble(rec *v1alpha1.Recommendation, i int, at func(time.Duration) metav1.Time) {
	s := &rec.Status
	find := func(kind string, severity v1alpha1.Severity, message string) {
		s.Findings = append(s.Findings, v1alpha1.Finding{Type: kind, Severity: severity, Container: "app", Message: message})
		s.Display.Why = message
	}
	switch {
	case i%211 == 3:
		s.Rollback = &v1alpha1.Rollback{
			Revision: s.Revision, Time: at(20 * time.Minute), Until: at(-40 * time.Minute), HarmTime: at(21 * time.Minute), Count: 1,
			Evidence: "pod " + rec.Spec.TargetRef.Name + "-6d8f9c7b5d-x2k9z was killed for lack of memory 3 minutes after it was resized",
		}
		find("RolledBack", v1alpha1.SeverityCritical, "revision "+s.Revision+" was taken back: "+s.Rollback.Evidence)
		s.Outcomes = []v1alpha1.Outcome{
			{Time: at(21 * time.Minute), Pod: rec.Spec.TargetRef.Name + "-6d8f9c7b5d-x2k9z", PodUID: "u", Revision: s.Revision, Result: v1alpha1.OutcomeFailed, Message: "killed for lack of memory"},
			{Time: at(24 * time.Minute), Pod: rec.Spec.TargetRef.Name + "-6d8f9c7b5d-x2k9z", PodUID: "u", Revision: s.Revision, Result: v1alpha1.OutcomeResized, Message: "in place"},
		}
	case i%97 == 11:
		find("MemoryLeakSuspected", v1alpha1.SeverityCritical, "memory grows by 41 MiB a day over 9 days and never falls; it is not fed")
	case i%89 == 7:
		s.Approval, s.Applicable, s.Revision = v1alpha1.ApprovalManual, nil, ""
		s.Conditions = append(s.Conditions, metav1.Condition{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForApproval, Message: "a person has to approve this revision", LastTransitionTime: at(time.Hour)})
	case i%61 == 13:
		find("CPUThrottled", v1alpha1.SeverityWarning, "14 % of the CPU periods were throttled: the limit is too low")
	case i%301 == 5:
		s.ObservedTime = new(at(40 * time.Hour))
	case i%53 == 17:
		s.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForHistory, Message: "2 hours of history so far", LastTransitionTime: at(time.Hour)}}
		s.Candidate, s.Applicable, s.Savings, s.Display.Why = nil, nil, nil, "2 hours of history so far"
	case i%47 == 2:
		s.Display.Why = Hostile
		s.Trail = append(s.Trail, "Taken into account: "+Hostile)
		s.Advice = &v1alpha1.AdviceStatus{Source: "llm", Model: "llama3.1:8b", Summary: Hostile, Adjustments: []v1alpha1.AdjustmentStatus{
			{Kind: "demand", From: new(at(-24 * time.Hour)), Until: new(at(-72 * time.Hour)), Percent: new(int32(300)), Evidence: []string{"A1"}, Source: "rules", Accepted: true, Reason: `event "sale" expects 300% of the forecast`},
			{Kind: "demand", Evidence: []string{"A2"}, Source: "llm", Reason: "the cited text holds no date and no number: " + Hostile},
		}}
	}
}

func pick(i int, from ...string) string { return from[i%len(from)] }

func millis(n int64) *resource.Quantity { return resource.NewMilliQuantity(n, resource.DecimalSI) }

func bytes(n int64) *resource.Quantity { return resource.NewQuantity(n, resource.BinarySI) }

func amountsOf(cpuMillis, memoryBytes int64) v1alpha1.ResourceAmounts {
	return v1alpha1.ResourceAmounts{CPU: millis(cpuMillis), Memory: bytes(memoryBytes)}
}
