package updater

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/updater/plan"
)

// killSwitchKey is the key of the kill switch's ConfigMap, and killSwitchOff the only value that lets the updater work.
const (
	killSwitchKey = "stop"
	killSwitchOff = "false"
)

// resourceLister tells what an API server serves.
type resourceLister interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// gatherer does every read of a round.
type gatherer struct {
	reader    client.Reader
	config    config.Config
	resources resourceLister
	metrics   *metrics
	// resizeServed is asked again until it is true: a cluster gains in-place resize by an upgrade and does not lose it.
	resizeServed bool
}

// view is what one round saw.
type view struct {
	killSwitch string
	subjects   []subject
}

// subject is a Recommendation with the workload it is about.
type subject struct {
	plan.Workload
	recommendation *v1alpha1.Recommendation
	// object is the workload itself, for events.
	object client.Object
}

func (g *gatherer) gather(ctx context.Context, now time.Time, memory *ledger) (view, error) {
	stop, err := g.killSwitch(ctx)
	if err != nil {
		return view{}, err
	}
	var recs v1alpha1.RecommendationList
	if err := g.reader.List(ctx, &recs); err != nil {
		return view{}, fmt.Errorf("list recommendations: %w", err)
	}
	g.discoverResize(ctx)
	v := view{killSwitch: stop}
	surroundings := map[string]*namespace{}
	for i := range recs.Items {
		rec := &recs.Items[i]
		if g.config.Excluded(rec.Namespace) || rec.Namespace == g.config.Updater.ProbeNamespace {
			continue
		}
		ns, known := surroundings[rec.Namespace]
		if !known {
			if ns, err = g.namespace(ctx, rec.Namespace); err != nil {
				return view{}, err
			}
			surroundings[rec.Namespace] = ns
		}
		if s, ok := g.subject(now, ns, rec, memory); ok {
			v.subjects = append(v.subjects, s)
		}
	}
	return v, nil
}

// killSwitch says who stopped the updater; no ConfigMap means nobody did. Whoever pulls it is in a hurry, so a ConfigMap
// without the key, or with "yes" or "True" in it, stops as well.
func (g *gatherer) killSwitch(ctx context.Context) (string, error) {
	var cm corev1.ConfigMap
	key := client.ObjectKey{Namespace: g.config.Namespace, Name: g.config.Updater.KillSwitchConfigMap}
	switch err := g.reader.Get(ctx, key, &cm); {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read the kill switch: %w", err)
	case strings.EqualFold(strings.TrimSpace(cm.Data[killSwitchKey]), killSwitchOff):
		return "", nil
	default:
		return fmt.Sprintf("ConfigMap %s is there and does not say %s: %q", key, killSwitchKey, killSwitchOff), nil
	}
}

func (g *gatherer) discoverResize(ctx context.Context) {
	if g.resizeServed {
		return
	}
	list, err := g.resources.ServerResourcesForGroupVersion("v1")
	if err != nil {
		logf.FromContext(ctx).Error(err, "cannot tell whether pods can be resized, assuming not")
		return
	}
	for _, r := range list.APIResources {
		g.resizeServed = g.resizeServed || r.Name == "pods/resize"
	}
}
