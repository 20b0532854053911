package updater

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/updater/plan"
)

// keptFromMost is how long new pods are kept from what an eviction is to try, whatever does not permit one: a window that never opens, a pod that is
// never ready, a switch that somebody forgot.
const keptFromMost = 24 * time.Hour

// keptFrom is the revision that admission must not give to new pods yet, empty if there is none, and since when something has been tried.
// The first pod that is evicted for a revision needs a successor that gets it, which admit says.
func keptFrom(now time.Time, s subject, outcomes []v1alpha1.Outcome, admit bool) (revision string, since *metav1.Time) {
	w := s.Workload
	w.Evicted = lastEviction(outcomes, w.Revision)
	since = s.recommendation.Status.TryingSince
	switch {
	case w.Mode != v1alpha1.ModeAuto:
		return "", nil
	case w.Harm != "" || admit || plan.Trying(now, w):
	case !w.Evicted.IsZero() && !plan.Tried(now, w):
		return "", since // Should another eviction have to try the revision, the day is still the same.
	default:
		return "", nil
	}
	if since == nil {
		since = new(storedTime(now))
	}
	forLong := w.Updater == v1alpha1.UpdaterEvict && now.Sub(since.Time) >= keptFromMost
	if w.Harm == "" && (admit || forLong) {
		return "", since
	}
	return w.Revision, since
}
