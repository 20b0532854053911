package webhook

import (
	"context"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/internal/owner"
)

// gate answers, for pods and workloads alike, whether Loadline may touch them, and with which sizes.
type gate struct {
	lookup     lookup
	excluded   func(namespace string) bool
	clock      clock.PassiveClock
	staleAfter time.Duration
	// outlivedAfter is the age at which a number of pods holds no longer that was enough for a time.
	outlivedAfter time.Duration
	kinds         owner.Kinds
}

// grant is what people allow in a namespace, or for one workload in it. The label on the namespace has only made the API
// server ask; the annotation in the cache decides. The outcome is empty if Loadline may inject.
//
// Policies are not known here, so a workload's annotation is read as under allowOverrides. Where that is wider than allowed,
// the Recommendation holds nothing to inject.
func (g *gate) grant(ctx context.Context, namespace string, workload map[string]string) (v1alpha1.Effective, outcome, error) {
	if g.excluded(namespace) {
		return v1alpha1.Effective{}, outcomeExcluded, nil
	}
	annotations, known, err := g.lookup.Annotations(ctx, namespace)
	if err != nil {
		return v1alpha1.Effective{}, outcomeError, err
	}
	if !known || !v1alpha1.WantsAdmissionLabel(annotations) {
		return v1alpha1.Effective{}, outcomeNotOptedIn, nil
	}
	granted, grantedErrs := v1alpha1.ParseAnnotations(annotations)
	asked, askedErrs := v1alpha1.ParseAnnotations(workload)
	effective := v1alpha1.Resolve(granted, asked, grantedErrs, askedErrs, true)
	if !effective.Mode.Admits() {
		return effective, outcomeNotOptedIn, nil
	}
	return effective, "", nil
}

// target names a workload whose Recommendation is wanted.
type target struct {
	namespace, apiVersion, kind, name string
}

// sizes returns the Recommendation of a workload if it holds something that may be injected. The outcome is empty then.
//
// The mode in its status narrows what the namespace grants: it knows the workload's own annotations, which a pod does not
// show.
func (g *gate) sizes(ctx context.Context, t target) (*v1alpha1.Recommendation, outcome, error) {
	rec, err := g.lookup.Recommendation(ctx, t.namespace, v1alpha1.RecommendationName(t.kind, t.name))
	if err != nil {
		return nil, outcomeError, err
	}
	switch {
	case rec == nil, !t.is(rec.Spec.TargetRef):
		return nil, outcomeNoRecommendation, nil
	case !rec.Status.Mode.Admits():
		return nil, outcomeNotOptedIn, nil
	case rec.Status.Applicable == nil || rec.Status.Applicable.Revision == "":
		return nil, outcomeNotApplicable, nil
	}
	return rec, "", nil
}

// is compares without the version: a workload is the same in every version of its group.
func (t target) is(ref v1alpha1.TargetReference) bool {
	return ref.Kind == t.kind && ref.Name == t.name && group(ref.APIVersion) == group(t.apiVersion)
}

// group is the part before the slash; empty for the core group.
func group(apiVersion string) string {
	name, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return name
}

// stale reports whether the sizes were not confirmed for too long to lower anything by them.
func (g *gate) stale(rec *v1alpha1.Recommendation) bool {
	seen := rec.Status.ObservedTime
	return seen == nil || g.clock.Since(seen.Time) > g.staleAfter
}

// outlived reports whether the recommender has been silent for longer than a number of pods holds that was enough for a time.
func (g *gate) outlived(rec *v1alpha1.Recommendation) bool {
	seen := rec.Status.ObservedTime
	return seen == nil || g.clock.Since(seen.Time) > g.outlivedAfter
}
