package recommender

import (
	"fmt"
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// display fills the columns of `kubectl get recommendations`.
func (p Publication) display(conditions []metav1.Condition) v1alpha1.Display {
	in := p.Input
	out := v1alpha1.Display{Workload: in.Target.Kind + "/" + in.Target.Name}
	if ready := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		out.Why = shorten(why(p.Decision, ready.Status == metav1.ConditionTrue, ready.Message), maxSentence)
	}
	if p.Memory.Candidate == nil {
		return out
	}
	now, then := totals(in, p.Memory.Candidate.Values)
	out.CPU = arrow(now.CPUMillis, then.CPUMillis, func(v int64) string { return resource.NewMilliQuantity(v, resource.DecimalSI).String() })
	out.Memory = arrow(now.MemoryBytes, then.MemoryBytes, readableBytes)
	if replicas := p.Decision.Guard.Replicas; replicas > 0 {
		out.Replicas = arrow(int64(in.Replicas), int64(replicas), func(v int64) string { return fmt.Sprint(v) })
	}
	return out
}

// arrow renders "500m → 220m", or one value where nothing changes, or "none → 220m".
func arrow(from, to int64, render func(int64) string) string {
	switch {
	case from == to && from == 0:
		return ""
	case from == to:
		return render(to)
	case from == 0:
		return "none → " + render(to)
	default:
		return render(from) + " → " + render(to)
	}
}

// readableBytes renders whole mebibytes, the unit that people write.
func readableBytes(b int64) string {
	const mebibyte = 1 << 20
	return fmt.Sprintf("%dMi", (b+mebibyte-1)/mebibyte)
}

// shortenTrail keeps the last sentences, which tell what was decided, and says how many are missing.
func shortenTrail(sentences []string, most int) []string {
	if missing := len(sentences) - most; missing > 0 {
		rest := slices.Clone(sentences[missing+1:])
		sentences = slices.Concat([]string{fmt.Sprintf("(The first %d sentences do not fit in here.)", missing+1)}, rest)
	}
	out := make([]string, 0, len(sentences))
	for _, s := range sentences {
		out = append(out, shorten(s, maxSentence))
	}
	return out
}

func shortenFindings(found []v1alpha1.Finding) []v1alpha1.Finding {
	out := slices.Clone(found[:min(len(found), maxFindings)])
	for i := range out {
		out[i].Type, out[i].Message = shorten(out[i].Type, 64), shorten(out[i].Message, maxSentence)
	}
	return out
}
