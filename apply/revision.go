package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// revisionBytes of the hash make a revision: 64 bits, 16 hexadecimal digits.
const revisionBytes = 8

// Revision names sizes by their content: 16 hexadecimal digits of the SHA-256 over a canonical encoding.
//
// Equal sizes have equal revisions, whatever the order of their containers and however they were found. The absent limit
// policy and Keep are the same.
func Revision(v Values) string {
	hash := sha256.New()
	// The leading number is the version of the encoding. %q makes a name unable to look like the next field.
	fmt.Fprint(hash, "1\n")
	if v.Replicas != nil {
		fmt.Fprintf(hash, "replicas %d\n", *v.Replicas)
	}
	if v.AutoscalerMin != nil {
		fmt.Fprintf(hash, "autoscaler minimum %d\n", *v.AutoscalerMin)
	}
	for _, c := range slices.SortedStableFunc(slices.Values(v.Containers), byName) {
		fmt.Fprintf(hash, "container %q\n", c.Name)
		fmt.Fprintf(hash, "cpu %d %d %d %d %q %d\n", c.Target.CPUMillis, c.InPlace.CPUMillis,
			c.CPUBand.Min, c.CPUBand.Max, canonicalPolicy(c.CPULimit), c.CPULimit.Value)
		fmt.Fprintf(hash, "memory %d %d %d %d %q %d\n", c.Target.MemoryBytes, c.InPlace.MemoryBytes,
			c.MemoryBand.Min, c.MemoryBand.Max, canonicalPolicy(c.MemoryLimit), c.MemoryLimit.Value)
	}
	return hex.EncodeToString(hash.Sum(nil)[:revisionBytes])
}

// heldBack ends the name of a revision where a pod has more than it says.
const heldBack = "-held-back"

// HeldBack is what is written on a pod that was created while the revision was tried on another one: it has nothing less than pods had
// before, and at least what the revision says.
func HeldBack(revision string) string { return revision + heldBack }

// Injected reads the revision that admission wrote on a pod, and whether the pod was held back from it. It is empty for a pod that came
// without sizes.
func Injected(pod metav1.Object) (revision string, held bool) {
	return strings.CutSuffix(pod.GetAnnotations()[v1alpha1.AnnotationRevision], heldBack)
}

// Sorted returns v with its containers in the order of their names. It does not write to v.
func Sorted(v Values) Values {
	v.Containers = slices.SortedStableFunc(slices.Values(v.Containers), byName)
	return v
}

func canonicalPolicy(l Limit) string {
	if l.Policy == "" {
		return string(v1alpha1.LimitKeep)
	}
	return l.Policy
}
