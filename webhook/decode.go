package webhook

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The handlers decode only the fields they use, into the types below: a newer API server may send whatever it likes in all
// the others.

// objectMeta is the part of an object's metadata that handlers look at.
type objectMeta struct {
	Name              string                  `json:"name"`
	Labels            map[string]string       `json:"labels"`
	Annotations       map[string]string       `json:"annotations"`
	OwnerReferences   []metav1.OwnerReference `json:"ownerReferences"`
	DeletionTimestamp *metav1.Time            `json:"deletionTimestamp"`
}

// beingDeleted reports whether the object only waits for its finalizers. Nothing is changed or refused any more then.
func (m objectMeta) beingDeleted() bool { return m.DeletionTimestamp != nil }

// metaOnly is any object of which only the metadata matters.
type metaOnly struct {
	Metadata objectMeta `json:"metadata"`
}

// decode reads the object of a request.
func decode[T any](raw runtime.RawExtension) (*T, error) {
	if len(raw.Raw) == 0 {
		return nil, errors.New("decode the object: the request holds none")
	}
	obj := new(T)
	if err := json.Unmarshal(raw.Raw, obj, lenient); err != nil {
		return nil, fmt.Errorf("decode the object: %w", err)
	}
	return obj, nil
}

// decodeOld reads the object as it was before the request; a zero one for an object that is being created.
func decodeOld[T any](raw runtime.RawExtension) (*T, error) {
	if len(raw.Raw) == 0 {
		return new(T), nil
	}
	return decode[T](raw)
}
