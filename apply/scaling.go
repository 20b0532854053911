package apply

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// clockSkew is how far in the future a scaling may lie and still be believed.
const clockSkew = time.Minute

// scaleSubresource is how the API server calls, in managed fields, what came through the scale subresource.
const scaleSubresource = "scale"

// Scaling is somebody's decision on a number of pods.
type Scaling struct {
	// By is the field manager, such as kubectl.
	By string
	// Replicas is the number, where it is known; 0 elsewhere.
	Replicas int32
	// At is when it was seen first.
	At time.Time
}

// ScaledBy returns the field manager that last set the workload's number of pods through the scale subresource, or false if
// the number was since then set in another way. The API server keeps that book itself, but without a time.
func ScaledBy(workload metav1.Object) (manager string, ok bool) {
	for _, entry := range workload.GetManagedFields() {
		if entry.Subresource == scaleSubresource && Owns(entry, "spec", "replicas") {
			return entry.Manager, true
		}
	}
	return "", false
}

// LastScaling returns who, other than Loadline, last decided on the present number of pods: through the scale subresource, or by
// writing the workload, which the webhook noted in an annotation. What came through the scale subresource and is not on
// record has just happened. It is false if nobody did.
func LastScaling(workload metav1.Object, present int32, onRecord Scaling, now time.Time) (Scaling, bool) {
	last, found := NotedScaling(workload)
	if by, ok := ScaledBy(workload); ok && by != v1alpha1.FieldManagerUpdater {
		s := Scaling{By: by, Replicas: present, At: now}
		if onRecord.By == by && onRecord.Replicas == present {
			s.At = onRecord.At
		}
		if s.At.After(last.At) {
			last, found = s, true
		}
	}
	return last, found
}

// Wins reports whether the scaling is so recent that Loadline leaves the number alone.
func (s Scaling) Wins(now time.Time, yieldFor time.Duration) bool {
	return now.Before(s.At.Add(yieldFor)) && !s.At.After(now.Add(clockSkew))
}

// RecordedScaling is the scaling that the Recommendation remembers; the zero Scaling if it remembers none.
func RecordedScaling(status v1alpha1.RecommendationStatus) Scaling {
	if r := status.Replicas; r != nil && r.Scaled != nil {
		return Scaling{By: r.Scaled.By, Replicas: r.Scaled.Replicas, At: r.Scaled.Time.Time}
	}
	return Scaling{}
}

// NotedScaling reads the annotation that NoteScaling made, or returns false where there is none that can be read.
func NotedScaling(workload metav1.Object) (Scaling, bool) {
	stamp, by, found := strings.Cut(workload.GetAnnotations()[v1alpha1.AnnotationScaled], " by ")
	at, err := time.Parse(time.RFC3339, stamp)
	if !found || err != nil {
		return Scaling{}, false
	}
	return Scaling{By: by, At: at}, true
}

// NoteScaling is the value of the annotation that tells who set the number of pods and when.
func NoteScaling(s Scaling) string {
	return s.At.UTC().Format(time.RFC3339) + " by " + s.By
}

// String says who and when.
func (s Scaling) String() string {
	return fmt.Sprintf("%s set it at %s", s.By, s.At.UTC().Format(time.RFC3339))
}

// DeclaredReplicas is the number of pods that the workload's manifest asks for, as far as the workload itself tells: what
// the webhook kept of it, else the present number where it did not come through the scale subresource. Zero means that it does not tell.
func DeclaredReplicas(workload metav1.Object, present int32) int32 {
	if kept, err := strconv.ParseInt(workload.GetAnnotations()[v1alpha1.AnnotationOriginalReplicas], 10, 32); err == nil && kept > 0 {
		return int32(kept)
	}
	if _, scaled := ScaledBy(workload); scaled {
		return 0
	}
	return present
}

// LastingReplicas is the number of pods to have where the recommender has been silent for so long that what it said for the hour holds no
// longer: the largest of what is recommended, what the schedule has for now and what the manifest asks for, as far as the policy allows. Nil
// where nothing is recommended.
func LastingReplicas(status v1alpha1.RecommendationStatus, now time.Time) *int32 {
	if status.Applicable == nil || status.Applicable.Replicas == nil {
		return nil
	}
	recommended, r := *status.Applicable.Replicas, status.Replicas
	if r == nil {
		return &recommended
	}
	lasting := recommended
	if r.Declared != nil {
		lasting = max(lasting, *r.Declared)
	}
	for _, w := range r.Schedule {
		if !now.Before(w.From.Time) && now.Before(w.Until.Time) {
			lasting = max(lasting, w.Replicas)
		}
	}
	if r.Max != nil {
		lasting = max(recommended, min(lasting, *r.Max))
	}
	return &lasting
}

// StripManagedFields is KeepScaling as the transform of a cache, for objects of any kind: most have no scale subresource, and lose
// all their managed fields. The error is always nil.
func StripManagedFields(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		KeepScaling(o)
	}
	return object, nil
}

// KeepScaling drops the managed fields of which nothing is needed to know who scaled. It is for caches.
func KeepScaling(workload metav1.Object) {
	workload.SetManagedFields(slices.DeleteFunc(workload.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Subresource != scaleSubresource
	}))
}

// Owns reports whether the entry's manager owns the field at the path.
func Owns(entry metav1.ManagedFieldsEntry, path ...string) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	raw := json.RawMessage(entry.FieldsV1.GetRawBytes())
	for _, field := range path {
		var fields map[string]json.RawMessage
		if json.Unmarshal(raw, &fields) != nil {
			return false
		}
		child, owned := fields["f:"+field]
		if !owned {
			return false
		}
		raw = child
	}
	return true
}

// Disown returns the managed fields of an object without what the managers own, and whether they own any. Written back, they leave these
// fields to nobody: who applies one of them with another value meets no conflict.
func Disown(object metav1.Object, managers ...string) (others []metav1.ManagedFieldsEntry, owned bool) {
	others = slices.DeleteFunc(slices.Clone(object.GetManagedFields()), func(entry metav1.ManagedFieldsEntry) bool {
		return slices.Contains(managers, entry.Manager)
	})
	owned = len(others) < len(object.GetManagedFields())
	if owned && len(others) == 0 {
		others = []metav1.ManagedFieldsEntry{{}} // which resets the list; an empty one is ignored
	}
	return others, owned
}
