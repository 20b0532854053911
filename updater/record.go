package updater

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/updater/breaker"
	"github.com/loadline-dev/loadline/updater/plan"
)

// Keys of the record's ConfigMap: what was spent, and the state of the circuit breaker.
const (
	recordSpent   = "spent"
	recordBreaker = "breaker"
)

// recordEvery is how often the state of the breaker is written while it only learns what is usual.
const recordEvery = 10 * time.Minute

// mostSpent is how many bytes of what was spent are put on record: an object has room for a MiB, and the breaker's state and the
// metadata are in it as well. The largest budgets that are legal, 300 evictions and 1000 resizes a minute, fit into it where each
// workload loses six pods an hour, which is the default. If it is full all the same, the rest waits.
const mostSpent = 900 << 10

// record is a ConfigMap in which an updater writes down what it is about to do before it does it. An updater that is killed or
// loses the leadership in the middle of a round has then spent too much on paper, and never too little.
//
// Every write names the version that it rests on. Of two updaters that both think they lead, only one can write, and the
// other does nothing until it has read what the first one spent.
type record struct {
	// reader asks the API server and no cache.
	reader client.Reader
	client client.Client
	name   types.NamespacedName
	// known is the ConfigMap as it was last read or written; nil means that it has to be read.
	known *corev1.ConfigMap
	// breaker is the state of the circuit breaker, and stored what of it is on record.
	breaker, stored breaker.State
}

// read brings what others wrote since the last round into the ledger.
func (r *record) read(ctx context.Context, memory *ledger) error {
	cm := &corev1.ConfigMap{}
	if err := r.reader.Get(ctx, r.name, cm); err != nil {
		r.known = nil
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("ConfigMap %s is missing: apply the updater's manifests", r.name)
		}
		return fmt.Errorf("read ConfigMap %s: %w", r.name, err)
	}
	if r.known != nil && r.known.ResourceVersion == cm.ResourceVersion {
		return nil
	}
	spent, err := decodeSpent(cm.Data[recordSpent])
	if err != nil {
		r.known = nil
		return fmt.Errorf("key %s of ConfigMap %s cannot be read, remove it to start anew: %w", recordSpent, r.name, err)
	}
	state, err := decodeBreaker(cm.Data[recordBreaker])
	if err != nil {
		r.known = nil
		return fmt.Errorf("key %s of ConfigMap %s cannot be read, remove it to start anew: %w", recordBreaker, r.name, err)
	}
	memory.recall(spent)
	r.breaker, r.stored = state, state
	r.known = cm
	return nil
}

// write replaces what is on record, unless somebody else has written since it was read.
func (r *record) write(ctx context.Context, now time.Time, spent []plan.Spent) error {
	text, err := encodeSpent(now, spent)
	if err != nil {
		return err
	}
	if r.known == nil {
		return fmt.Errorf("ConfigMap %s was not read before it is written", r.name)
	}
	state, err := json.Marshal(r.breaker)
	if err != nil {
		return fmt.Errorf("encode the breaker's state: %w", err)
	}
	cm := r.known.DeepCopy()
	cm.Data = map[string]string{recordSpent: text, recordBreaker: string(state)}
	if err := r.client.Update(ctx, cm); err != nil {
		r.known = nil
		return fmt.Errorf("write ConfigMap %s: %w", r.name, err)
	}
	r.known, r.stored = cm, r.breaker
	return nil
}

// due reports whether the state of the breaker has to be written although nothing is to be done.
func (r *record) due(now time.Time) bool {
	return r.known != nil && (r.breaker.Phase != r.stored.Phase || !r.breaker.Since.Equal(r.stored.Since) || now.Sub(r.stored.Looked).Abs() >= recordEvery)
}

func decodeBreaker(text string) (breaker.State, error) {
	var state breaker.State
	if text == "" {
		return state, nil
	}
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return breaker.State{}, err
	}
	return state, state.Validate()
}

// fits reports whether so much that was spent has room on record.
func fits(now time.Time, spent []plan.Spent) bool {
	text, err := encodeSpent(now, spent)
	return err == nil && len(text) <= mostSpent
}

// spending is what was spent, by kind and workload, in seconds since 1970: an eviction takes eleven bytes.
type spending map[plan.Kind]map[string][]int64

func encodeSpent(now time.Time, spent []plan.Spent) (string, error) {
	all := spending{}
	for _, s := range spent {
		if now.Sub(s.At) >= s.Kind.Counts() {
			continue
		}
		if all[s.Kind] == nil {
			all[s.Kind] = map[string][]int64{}
		}
		key := s.Workload.String()
		all[s.Kind][key] = append(all[s.Kind][key], s.At.Unix())
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("encode what was spent: %w", err)
	}
	return string(text), nil
}

func decodeSpent(text string) ([]plan.Spent, error) {
	if text == "" {
		return nil, nil
	}
	var all spending
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, err
	}
	var spent []plan.Spent
	for kind, workloads := range all {
		for key, times := range workloads {
			parts := strings.Split(key, "/")
			if len(parts) != 3 {
				return nil, fmt.Errorf("%q is not namespace/kind/name", key)
			}
			for _, at := range times {
				spent = append(spent, plan.Spent{
					At: endOfSecond(time.Unix(at, 0)), Kind: kind, Workload: plan.Key{Namespace: parts[0], Kind: parts[1], Name: parts[2]},
				})
			}
		}
	}
	return spent, nil
}
