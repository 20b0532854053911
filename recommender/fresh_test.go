package recommender

import (
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/testkit"
)

func TestAPrometheusWithoutNewMeasurementsConfirmsAndLowersNothing(t *testing.T) {
	l := checkout(t, 14*day).look()
	before := l.rec.Status.DeepCopy()
	l.afterSilence(7 * time.Hour).look() // the next step down, and the next confirmation, would be due
	if c := l.condition(v1alpha1.ConditionHistoryReady); c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonMeasurementsStopped {
		t.Errorf("HistoryReady is %s because %s: %s", c.Status, c.Reason, c.Message)
	}
	if !l.rec.Status.ObservedTime.Equal(before.ObservedTime) {
		t.Error("the sizes were confirmed by what was measured long ago")
	}
	if l.rec.Status.Revision != before.Revision || l.rec.Status.Candidate.Revision != before.Candidate.Revision {
		t.Errorf("revision %s became %s without a measurement", before.Revision, l.rec.Status.Revision)
	}
	l.afterSilence(18 * time.Hour).look()
	if c := l.condition(v1alpha1.ConditionStale); c.Status != metav1.ConditionTrue {
		t.Errorf("after a day without measurements Stale is %s: %s", c.Status, c.Message)
	}
	if l.afterSilence(5*day).look().rec.Status.Applicable == nil {
		t.Error("the sizes were taken away")
	}
	if l.after(time.Minute).look(); l.condition(v1alpha1.ConditionHistoryReady).Status != metav1.ConditionTrue ||
		l.condition(v1alpha1.ConditionStale).Status != metav1.ConditionFalse {
		t.Error("new measurements do not confirm the sizes")
	}
}

func TestAShortGapInMeasurementsIsNoNews(t *testing.T) {
	l := checkout(t, 14*day).look()
	if l.afterSilence(50 * time.Minute).look(); l.condition(v1alpha1.ConditionHistoryReady).Status != metav1.ConditionTrue {
		t.Errorf("HistoryReady says %s", l.condition(v1alpha1.ConditionHistoryReady).Message)
	}
}

func TestAWorkloadScaledToZeroIsMeasuredWhereOthersAre(t *testing.T) {
	l := checkout(t, 14*day)
	asleep := l.now.Add(-5 * time.Hour)
	until := func(awake, sleeping float64) testkit.Curve {
		return func(at time.Time) float64 {
			if at.Before(asleep) {
				return awake
			}
			return sleeping
		}
	}
	l.uses(14*day, until(0.4, math.NaN()), until(400*mebibyte, math.NaN()))
	for name, c := range map[string]struct {
		counted float64
		want    string
	}{
		"others were seen": {0, v1alpha1.ReasonHistoryRead},
		"nobody was seen":  {math.NaN(), v1alpha1.ReasonMeasurementsStopped},
	} {
		l.in.History.Pods = testkit.Usage(l.now, 14*day, until(3, c.counted))
		if got := l.look().condition(v1alpha1.ConditionHistoryReady); got.Reason != c.want {
			t.Errorf("%s: HistoryReady says %s: %s, want %s", name, got.Reason, got.Message, c.want)
		}
	}
}

func TestARefusedAnnotationIsAConditionAndNothingIsApproved(t *testing.T) {
	namespace := v1alpha1.Settings{Mode: v1alpha1.ModeAuto}
	refused := []v1alpha1.AnnotationError{
		{Key: "loadline.dev/approval", Value: "by hand", Legal: "one of automatic, manual"},
		{Key: "loadline.dev/priority", Value: "urgent", Legal: "one of low, high"},
	}
	for _, span := range []time.Duration{0, 14 * day} {
		l := checkout(t, span)
		l.in.Settings = v1alpha1.Resolve(namespace, v1alpha1.Settings{}, nil, refused, false)
		l.look()
		want := refused[0].Error() + "; and 1 more, see findings"
		if c := l.condition(v1alpha1.ConditionApproved); c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonInvalidAnnotation || c.Message != want {
			t.Errorf("Approved is %s because %s: %s", c.Status, c.Reason, c.Message)
		}
		if l.rec.Status.Mode != v1alpha1.ModeDryRun {
			t.Errorf("mode %s", l.rec.Status.Mode)
		}
		l.in.Settings = v1alpha1.Resolve(namespace, v1alpha1.Settings{}, nil, nil, false)
		if c := l.look().condition(v1alpha1.ConditionApproved); c.Reason == v1alpha1.ReasonInvalidAnnotation {
			t.Error("the condition stays when the annotation is mended")
		}
	}
}
