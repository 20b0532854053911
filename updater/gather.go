package updater

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/updater/plan"
)

// resourceLister tells what an API server serves.
type resourceLister interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// gatherer does every read of a round.
type gatherer struct {
	reader client.Reader
	// live reads the kill switch without a cache: a watch that stalls must not hide it.
	live      client.Reader
	config    config.Config
	resources resourceLister
	metrics   *metrics
	// lost are pods that may be gone already.
	lost lostPods
	// resizeServed is asked again until it is true: a cluster gains in-place resize by an upgrade and does not lose it.
	resizeServed bool
}

// view is what one round saw.
type view struct {
	killSwitch string
	subjects   []subject
	// signs are of the whole cluster.
	signs       signs
	autoscalers []plan.Autoscaler
	free        *apply.Amounts
}

// subject is a Recommendation with the workload it is about.
type subject struct {
	plan.Workload
	recommendation *v1alpha1.Recommendation
	// object is the workload itself, for events.
	object client.Object
	// labelled is true where the API server asks the webhook about new pods.
	labelled bool
	// putOff are the pods, by their place in Pods, whose node has put a resize off for long.
	putOff map[int]*corev1.Pod
}

func (g *gatherer) gather(ctx context.Context, now time.Time, memory *ledger) (view, error) {
	stop, err := killSwitch(ctx, g.live, g.config)
	if err != nil {
		return view{}, err
	}
	var recs v1alpha1.RecommendationList
	if err := g.reader.List(ctx, &recs); err != nil {
		return view{}, fmt.Errorf("list recommendations: %w", err)
	}
	g.discoverResize(ctx)
	all, err := readCluster(ctx, now, g.reader, &g.lost)
	if err != nil {
		return view{}, err
	}
	v := view{killSwitch: stop, signs: all.signs(now, g.config.Updater.Breaker.Window.Duration, g.config.Scaling.Owners()), free: new(all.free())}
	surroundings := map[string]*namespace{}
	for i := range recs.Items {
		rec := &recs.Items[i]
		if g.config.Excluded(rec.Namespace) || rec.Namespace == g.config.Updater.ProbeNamespace {
			continue
		}
		ns, known := surroundings[rec.Namespace]
		if !known {
			if ns, err = g.namespace(ctx, rec.Namespace, all); err != nil {
				return view{}, err
			}
			surroundings[rec.Namespace] = ns
		}
		if s, ok := g.subject(now, ns, rec, memory); ok {
			v.subjects = append(v.subjects, s)
		}
	}
	findRoom(all, v.subjects)
	v.autoscalers, err = g.autoscalers(ctx, v.subjects, memory)
	return v, err
}

// findRoom looks for nodes with room for the successors of pods that have waited long for a resize, if there are such pods.
func findRoom(all *cluster, subjects []subject) {
	var known *rooms
	for _, s := range subjects {
		for i, pod := range s.putOff {
			if known == nil {
				known = roomsOf(all)
			}
			s.Pods[i].RoomOn = known.forSuccessor(pod, s.Workload, s.Pods[i].Original)
		}
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
