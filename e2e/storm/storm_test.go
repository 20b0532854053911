//go:build full

package storm_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/harness"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/storm"
)

const (
	// seed of everything that is random. Another one is another storm.
	seed = 20261127
	// nodes that hold all pods, and as many successors as may be there at once.
	nodes = 24
	// perNamespace workloads of so many pods.
	perNamespace, replicas = 25, 20

	// What may happen in a minute. The hour lets more than twice as many evictions happen.
	evictionsPerMinute, resizesPerMinute = 150, 600
	// What may happen in an hour, in any namespace, and to any workload of the namespace whose policy says so. Neither is enough for all pods
	// there: the rest keeps what it has.
	namespacePerHour, workloadPerHour = 300, 10
	// The API server is killed once. A request that it had carried out by then and not written down is missing; there can be one,
	// because one updater leads and asks for one thing at a time.
	unwritten = 1
	// noticed is how long the updater may still act when there is no webhook any more. Last comes a resize of a round that rests on an
	// admission round trip of four seconds before: the round takes four more, and the API server may take ten for an answer.
	noticed = 20 * time.Second

	// startUp bounds what comes before the storm, and calm what it takes until all pods have their sizes.
	startUp, calm = 5 * time.Minute, 20 * time.Minute
	updater       = "system:serviceaccount:loadline-system:loadline-updater"
)

// The parts of Loadline log to files of their own; this process has nothing to log.
func init() { ctrl.SetLogger(logr.Discard()) }

// kind is a namespace in which pods get their sizes in one of the ways there are.
type kind struct {
	namespace string
	// evicted: a pod gets its sizes only by being replaced.
	evicted bool
	// annotations of the namespace and of the pods.
	annotations, podAnnotations map[string]string
	// unavailable pods of one workload, by its policy, and its PodDisruptionBudget. In one namespace the budget spares less, in another the policy.
	unavailable int32
	budget      policyv1.PodDisruptionBudgetSpec
	// promised pods of each workload are ready all the time.
	promised int
	// perHour bounds the evictions of one workload; 0 is no bound that matters.
	perHour int32
	// lowered: pods come with twice what they should have, and not with a fifth of it.
	lowered bool
}

func kinds() []kind {
	return []kind{
		{
			namespace: "evicted", evicted: true, annotations: map[string]string{v1alpha1.AnnotationUpdater: "evict"},
			unavailable: 5, budget: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: new(intstr.FromInt32(2))}, promised: replicas - 2,
		},
		{
			namespace: "infeasible", evicted: true, perHour: workloadPerHour, podAnnotations: map[string]string{"kwok.x-k8s.io/resize": "infeasible"},
			unavailable: 1, budget: policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(replicas - 5))}, promised: replicas - 1,
		},
		{namespace: "raised", unavailable: 1, promised: replicas},
		{namespace: "lowered", unavailable: 1, promised: replicas, lowered: true},
	}
}

func TestAStormExceedsNoBudgetAndLosesNoPod(t *testing.T) {
	s := begin(t)
	s.populate()
	s.waitFor("all pods are ready", startUp, func() bool { return s.count(ready) == s.pods() })
	watched := s.watch()

	begun := time.Now()
	for _, k := range kinds() {
		s.optIn(k)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.rage() }()
	s.waitFor("all pods have their sizes, but for what the budgets of an hour hold back", calm, func() bool {
		s.supervise()
		select {
		case <-done:
			return s.settled()
		default:
			return false
		}
	})
	s.judge(watched, time.Since(begun))
}

// judge compares what happened with what was promised, and prints the counts.
func (s *tempest) judge(watched *watched, took time.Duration) {
	file, err := os.Open(s.cluster.AuditLog)
	s.must(err)
	defer func() { _ = file.Close() }()
	requests, err := storm.ReadAudit(file)
	s.must(err)
	evictions, resizes, refused := timesOf(requests)
	s.judgeHour(requests, s.judgeLease())
	s.judgeOutage(requests)
	gone, least := watched.result()
	s.t.Logf("seed %d: %d pods in %s: %d evictions (at most %d in a minute, budget %d) and %d resizes (at most %d, budget %d); "+
		"%d evictions refused by PodDisruptionBudgets; %d updaters started; %d pods deleted",
		seed, s.pods(), took.Round(time.Second), len(evictions), storm.MostWithin(evictions, time.Minute), evictionsPerMinute,
		len(resizes), storm.MostWithin(resizes, time.Minute), resizesPerMinute, refused, s.started, gone)
	if n := storm.MostWithin(evictions, time.Minute); n > evictionsPerMinute {
		s.t.Errorf("%d evictions in a minute, at most %d", n, evictionsPerMinute)
	}
	if n := storm.MostWithin(resizes, time.Minute); n > resizesPerMinute {
		s.t.Errorf("%d resizes in a minute, at most %d", n, resizesPerMinute)
	}
	if gone > len(evictions)+unwritten {
		s.t.Errorf("%d pods are gone, and only %d were evicted", gone, len(evictions))
	}
	for _, k := range kinds() {
		s.t.Logf("namespace %s: at least %d of %d pods of every workload were ready all the time, %d were promised", k.namespace, least[k.namespace], replicas, k.promised)
		if least[k.namespace] < k.promised {
			s.t.Errorf("namespace %s: a workload had only %d ready pods, %d were promised", k.namespace, least[k.namespace], k.promised)
		}
	}
}

// timesOf are the times at which the updater evicted and resized.
func timesOf(requests []storm.Request) (evictions, resizes []time.Time, refused int) {
	for _, r := range evicted(requests) {
		evictions = append(evictions, r.At)
	}
	for _, r := range requests {
		switch {
		case r.User != updater:
		case r.Subresource == "resize" && r.Code/100 == 2:
			resizes = append(resizes, r.At)
		case r.Subresource == "eviction" && r.Code == 429:
			refused++
		}
	}
	return evictions, resizes, refused
}

// tempest is the cluster with Loadline in it, and what is done to both.
type tempest struct {
	t        *testing.T
	cluster  *harness.Cluster
	loadline *install.Installation
	random   *rand.Rand
	started  int
	// down are processes that are stopped on purpose.
	down map[string]bool
	turn chan struct{} // held by whoever starts and stops processes
	// outage is the time without a webhook, once that is over.
	outage struct{ from, to time.Time }
}

func begin(t *testing.T) *tempest {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) // the test's own context ends before its clean-ups
	cluster, err := harness.Start(ctx, harness.Options{Log: os.Stderr, Nodes: nodes, WithoutPrometheus: true, AuditPolicy: storm.AuditPolicy})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := cluster.Stop(); err != nil {
			t.Errorf("stop the cluster: %v", err)
		}
	})
	s := &tempest{
		t: t, cluster: cluster, random: rand.New(rand.NewPCG(seed, 0)), down: map[string]bool{}, turn: make(chan struct{}, 1), started: 2,
	}
	s.loadline, err = install.Install(ctx, install.Options{
		Cluster: cluster, Configure: budgets, Parts: []string{install.Webhook, install.Updater},
	})
	s.must(err)
	s.must(s.loadline.StartSpare(ctx, install.Updater))
	return s
}

// budgets that are spent all the time, and still let the storm end within minutes.
func budgets(cfg *config.Config) {
	cfg.Updater.EvictionsPerMinute, cfg.Updater.ResizesPerMinute = evictionsPerMinute, resizesPerMinute
	cfg.Updater.NamespaceEvictionsPerHour = namespacePerHour
	cfg.Updater.Interval = metav1.Duration{Duration: 4 * time.Second}     // half of it goes into telling what was done to so many
	cfg.Updater.ProbeMaxAge = metav1.Duration{Duration: 16 * time.Second} // as by default, a quarter of it is a round
	cfg.Kubernetes.QPS, cfg.Kubernetes.Burst = 200, 400
	cfg.Updater.ResizeRetryInterval = metav1.Duration{Duration: 5 * time.Second}
	// So short that the lease is lost while etcd stands still.
	cfg.Updater.LeaderElection.LeaseDuration = metav1.Duration{Duration: 4 * time.Second}
	cfg.Updater.LeaderElection.RenewDeadline = metav1.Duration{Duration: 3 * time.Second}
}

func (s *tempest) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *tempest) pods() int { return len(kinds()) * perNamespace * replicas }

func (s *tempest) waitFor(what string, bound time.Duration, holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(bound)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in %s: %s; %d of %d pods are ready, %d have their sizes", bound, what, s.count(ready), s.pods(), s.count(sized))
		}
		<-tick.C
	}
}

// count is the number of pods of which something holds; -1 while the API server does not tell.
func (s *tempest) count(holds func(*corev1.Pod) bool) int {
	n := 0
	for _, k := range kinds() {
		var list corev1.PodList
		if err := s.loadline.Client.List(s.t.Context(), &list, client.InNamespace(k.namespace)); err != nil {
			return -1
		}
		for i := range list.Items {
			if holds(&list.Items[i]) {
				n++
			}
		}
	}
	return n
}

func ready(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// sized reports whether the pod runs with what it should have, as its node says: what it asks for, no node may have given it.
func sized(p *corev1.Pod) bool {
	return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].Resources != nil &&
		apply.ResourcesOf(*p.Status.ContainerStatuses[0].Resources).Requests == values().Containers[0].Target
}

// requests are what the pods come with.
func (k kind) requests() corev1.ResourceList {
	if k.lowered {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("160Mi")}
	}
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")}
}

// values are what all pods should have.
func values() apply.Values {
	amounts := apply.Amounts{CPUMillis: 50, MemoryBytes: 80 * apply.MiB}
	return apply.Values{Containers: []apply.Container{{
		Name: "app", Target: amounts, InPlace: amounts, CPUBand: apply.Interval{Min: 40, Max: 60},
		MemoryBand: apply.Interval{Min: 64 * apply.MiB, Max: 96 * apply.MiB},
	}}}
}

// populate creates the workloads. No namespace has opted in yet, so their pods come as they are written.
func (s *tempest) populate() {
	create := func(o client.Object) { s.t.Helper(); s.must(s.loadline.Client.Create(s.t.Context(), o)) }
	for _, k := range kinds() {
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: k.namespace}})
		create(&v1alpha1.SizingPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: v1alpha1.DefaultPolicyName},
			Spec: v1alpha1.SizingPolicySpec{Disruption: v1alpha1.DisruptionPolicy{
				MaxUnavailable: new(intstr.FromInt32(k.unavailable)), EvictionsPerHour: new(cmp.Or(k.perHour, 3600)),
				Canary: v1alpha1.CanaryPolicy{Observe: &metav1.Duration{Duration: 5 * time.Second}},
			}},
		})
		for i := range perNamespace {
			name := workloadName(i)
			labels := map[string]string{"app": name}
			create(&appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: name},
				Spec: appsv1.DeploymentSpec{
					Replicas: new(int32(replicas)), Selector: &metav1.LabelSelector{MatchLabels: labels},
					Template: corev1.PodTemplateSpec{
						ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: k.podAnnotations},
						Spec: corev1.PodSpec{Containers: []corev1.Container{{
							Name: "app", Image: "example.com/app:1", Resources: corev1.ResourceRequirements{Requests: k.requests()},
						}}},
					},
				},
			})
			s.recommend(k.namespace, name)
			if k.evicted {
				spec := k.budget
				spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
				create(&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: name}, Spec: spec})
			}
		}
	}
}

func workloadName(i int) string { return fmt.Sprintf("w%02d", i) }

// recommend plays the recommender.
func (s *tempest) recommend(namespace, name string) {
	rec := &v1alpha1.Recommendation{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.RecommendationName("Deployment", name)},
		Spec:       v1alpha1.RecommendationSpec{TargetRef: v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}},
	}
	s.must(s.loadline.Client.Create(s.t.Context(), rec))
	now := time.Now()
	rec.Status.Mode, rec.Status.ObservedTime = v1alpha1.ModeAuto, new(metav1.NewTime(now))
	rec.Status.Revision = apply.Revision(values())
	rec.Status.Applicable = apply.ToAPI(values(), rec.Status.Revision, now)
	s.must(s.loadline.Client.Status().Update(s.t.Context(), rec))
}

func (s *tempest) optIn(k kind) {
	s.t.Helper()
	namespace := &corev1.Namespace{}
	s.must(s.loadline.Client.Get(s.t.Context(), client.ObjectKey{Name: k.namespace}, namespace))
	namespace.Annotations = map[string]string{v1alpha1.AnnotationMode: string(v1alpha1.ModeAuto)}
	maps.Copy(namespace.Annotations, k.annotations)
	s.must(s.loadline.Client.Update(s.t.Context(), namespace))
}

// blow is something that goes wrong at a time.
type blow struct {
	after  time.Duration
	what   string
	strike func()
}

// rage lets everything go wrong, at times that the seed decides, within two and a half minutes.
func (s *tempest) rage() {
	at := func(from, to int) time.Duration {
		return time.Duration(from*1000+s.random.IntN((to-from)*1000)) * time.Millisecond
	}
	webhookStops := at(20, 60)
	blows := []blow{
		{webhookStops, "the webhook stops", func() { s.stop(install.Webhook, s.loadline.Stop); s.outage.from = time.Now() }},
		{webhookStops + time.Minute, "the webhook comes back", func() { s.outage.to = time.Now(); s.start(install.Webhook) }},
		{at(15, 140), "the API server is killed and starts again", func() {
			if err := s.cluster.RestartAPIServer(context.Background()); err != nil {
				s.t.Errorf("restart the API server: %v", err)
			}
		}},
		{at(15, 140), "etcd stands still for five seconds", func() {
			etcd := s.cluster.Process("etcd")
			etcd.Pause()
			<-time.After(5 * time.Second)
			etcd.Resume()
		}},
	}
	for i := range 5 {
		name, how, word := install.Updater, s.loadline.Kill, "killed"
		if s.random.IntN(2) == 0 {
			name = install.Spare(install.Updater)
		}
		if i%2 == 1 {
			how, word = s.loadline.Stop, "stopped"
		}
		blows = append(blows, blow{at(5, 140), name + " is " + word, func() { s.stop(name, how); s.start(name) }})
	}
	slices.SortFunc(blows, func(a, b blow) int { return cmp.Compare(a.after, b.after) })
	begun := time.Now()
	for _, b := range blows {
		select {
		case <-s.t.Context().Done(): // the test has failed
			return
		case <-time.After(time.Until(begun.Add(b.after))):
		}
		s.t.Logf("%s: %s", time.Since(begun).Round(100*time.Millisecond), b.what)
		s.turn <- struct{}{}
		b.strike()
		<-s.turn
	}
}

func (s *tempest) stop(name string, how func(string) error) {
	s.down[name] = true
	_ = how(name) // It may have ended by itself.
}

func (s *tempest) start(name string) {
	delete(s.down, name)
	s.revive(name)
}

// revive starts a process that has ended, as a kubelet does. It may not be able to while the API server is away.
func (s *tempest) revive(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var err error
	switch name {
	case install.Spare(install.Updater):
		err = s.loadline.StartSpare(ctx, install.Updater)
	default:
		err = s.loadline.Start(ctx, name)
	}
	if err == nil && name != install.Webhook {
		s.started++
	}
}

// supervise starts again what has ended by itself: an updater that loses its lease ends.
func (s *tempest) supervise() {
	select {
	case s.turn <- struct{}{}:
	default:
		return // Something is about to be stopped or started.
	}
	defer func() { <-s.turn }()
	for _, name := range []string{install.Webhook, install.Updater, install.Spare(install.Updater)} {
		p := s.loadline.Process(name)
		switch {
		case s.down[name]:
		case p == nil:
			s.revive(name)
		default:
			select {
			case <-p.Done():
				_ = s.loadline.Stop(name)
				s.revive(name)
			default:
			}
		}
	}
}
