package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// MaxOriginalBytes bounds the annotation loadline.dev/original; about 100 containers fit.
const MaxOriginalBytes = 16 << 10

// ErrOriginalTooLarge says that what a pod asked for finds no room in its annotation. Such a pod is left alone: half an
// original would lose the other half.
var ErrOriginalTooLarge = errors.New("too many containers to keep what they asked for")

// storedResources is the annotation's form of Resources: {"requests":{"cpu":"250m","memory":"512Mi"}}.
type storedResources struct {
	Requests storedAmounts `json:"requests,omitzero"`
	Limits   storedAmounts `json:"limits,omitzero"`
}

type storedAmounts struct {
	CPU    *resource.Quantity `json:"cpu,omitempty"`
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// Original returns what the pod asked for before Loadline changed it: the annotation loadline.dev/original where there is
// one, and the pod's present spec for containers that the annotation does not name, such as those that another webhook
// injected later. Containers that the pod no longer has are left out.
//
// A corrupt annotation counts as absent. The error then says what is wrong with it, and the map is still usable: that pod
// is treated as if it had asked for what it has.
func Original(pod *corev1.Pod) (map[string]Resources, error) {
	present := Present(pod)
	text, found := pod.Annotations[v1alpha1.AnnotationOriginal]
	if !found {
		return present, nil
	}
	stored, err := decodeOriginal(text)
	if err != nil {
		return present, fmt.Errorf("read annotation %s: %w", v1alpha1.AnnotationOriginal, err)
	}
	for name := range present {
		if r, known := stored[name]; known {
			present[name] = r
		}
	}
	return present, nil
}

// EncodeOriginal writes the value of the annotation loadline.dev/original. It fails if that would be larger than
// MaxOriginalBytes.
func EncodeOriginal(original map[string]Resources) (string, error) {
	stored := make(map[string]storedResources, len(original))
	for name, r := range original {
		stored[name] = storedResources{Requests: storedAmounts(amountsTo(r.Requests)), Limits: storedAmounts(amountsTo(r.Limits))}
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return "", fmt.Errorf("encode original resources: %w", err)
	}
	if len(text) > MaxOriginalBytes {
		return "", fmt.Errorf("%w: original resources of %d containers take %d bytes, at most %d are stored", ErrOriginalTooLarge, len(original), len(text), MaxOriginalBytes)
	}
	return string(text), nil
}

func decodeOriginal(text string) (map[string]Resources, error) {
	if len(text) > MaxOriginalBytes {
		return nil, fmt.Errorf("it has %d bytes, at most %d are legal", len(text), MaxOriginalBytes)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var stored map[string]storedResources
	if err := decoder.Decode(&stored); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("unexpected text after the object at byte %d", decoder.InputOffset())
	}
	out := make(map[string]Resources, len(stored))
	for name, s := range stored {
		for _, q := range []*resource.Quantity{s.Requests.CPU, s.Requests.Memory, s.Limits.CPU, s.Limits.Memory} {
			if q != nil && q.Sign() < 0 {
				return nil, fmt.Errorf("container %q has the negative amount %s", name, q)
			}
		}
		out[name] = Resources{
			Requests: amountsFrom(v1alpha1.ResourceAmounts(s.Requests)),
			Limits:   amountsFrom(v1alpha1.ResourceAmounts(s.Limits)),
		}
	}
	return out, nil
}
