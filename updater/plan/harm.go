package plan

import (
	"fmt"
	"time"
)

// Harm finds the first trouble that a pod of the workload had within the time observe after the present revision reached it.
// It returns the pod's index and the trouble in words, or false.
func Harm(w Workload, observe time.Duration) (pod int, evidence string, found bool) {
	for i, p := range w.Pods {
		if p.Change.IsZero() {
			continue
		}
		for _, t := range p.Troubles {
			if t.At.After(p.Change) && t.At.Sub(p.Change) <= observe {
				return i, fmt.Sprintf("container %s of pod %s: %s %s after the change",
					t.Container, p.Name, t.What, t.At.Sub(p.Change).Round(time.Second)), true
			}
		}
	}
	return 0, "", false
}
