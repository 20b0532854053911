package updater

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/eviction"
	"github.com/loadline-dev/loadline/internal/owner"
	"github.com/loadline-dev/loadline/updater/plan"
)

// namespace is what the workloads of one namespace have in common.
type namespace struct {
	settings v1alpha1.Settings
	// admission is true where the API server asks the webhook about new pods.
	admission bool
	problems  []v1alpha1.AnnotationError
	// kinds of workloads besides those of Kubernetes itself.
	kinds     owner.Kinds
	policies  map[string]*v1alpha1.SizingPolicy
	workloads map[owner.Workload]client.Object
	pods      map[owner.Workload][]*corev1.Pod
	// lost are the pods that were evicted by their nodes for lack of memory.
	lost    map[owner.Workload][]*corev1.Pod
	budgets []disruptionBudget
	scalers map[owner.Workload]string
}

type disruptionBudget struct {
	plan.DisruptionBudget
	selector labels.Selector
}

func (g *gatherer) namespace(ctx context.Context, name string, all *cluster) (*namespace, error) {
	ns := &namespace{
		policies: map[string]*v1alpha1.SizingPolicy{}, workloads: map[owner.Workload]client.Object{},
		kinds: g.config.Scaling.Owners(), pods: map[owner.Workload][]*corev1.Pod{}, lost: map[owner.Workload][]*corev1.Pod{}, scalers: map[owner.Workload]string{},
	}
	meta := namespaceMetadata()
	if err := g.reader.Get(ctx, client.ObjectKey{Name: name}, meta); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read namespace %s: %w", name, err)
	}
	// A namespace that is gone has no annotations, so nothing in it is touched.
	ns.settings, ns.problems = v1alpha1.ParseAnnotations(meta.Annotations)
	ns.admission = meta.Labels[v1alpha1.LabelAdmission] == v1alpha1.LabelAdmissionEnabled
	for what, read := range map[string]func(context.Context, client.Reader, string) error{
		"policies": ns.readPolicies, "workloads": ns.readWorkloads,
		"disruption budgets": ns.readBudgets, "autoscalers": ns.readScalers,
	} {
		if err := read(ctx, g.reader, name); err != nil {
			return nil, fmt.Errorf("list %s of namespace %s: %w", what, name, err)
		}
	}
	ns.assign(all.in[name])
	return ns, nil
}

func (n *namespace) readPolicies(ctx context.Context, reader client.Reader, name string) error {
	var list v1alpha1.SizingPolicyList
	if err := reader.List(ctx, &list, client.InNamespace(name)); err != nil {
		return err
	}
	for i := range list.Items {
		n.policies[list.Items[i].Name] = &list.Items[i]
	}
	return nil
}

func (n *namespace) readWorkloads(ctx context.Context, reader client.Reader, name string) error {
	var deployments appsv1.DeploymentList
	var statefulSets appsv1.StatefulSetList
	var daemonSets appsv1.DaemonSetList
	for _, list := range []client.ObjectList{&deployments, &statefulSets, &daemonSets} {
		if err := reader.List(ctx, list, client.InNamespace(name)); err != nil {
			return err
		}
	}
	for i := range deployments.Items {
		n.workloads[owner.Workload{Kind: "Deployment", Name: deployments.Items[i].Name}] = &deployments.Items[i]
	}
	for i := range statefulSets.Items {
		n.workloads[owner.Workload{Kind: "StatefulSet", Name: statefulSets.Items[i].Name}] = &statefulSets.Items[i]
	}
	for i := range daemonSets.Items {
		n.workloads[owner.Workload{Kind: "DaemonSet", Name: daemonSets.Items[i].Name}] = &daemonSets.Items[i]
	}
	return n.readCustom(ctx, reader, name)
}

// readCustom reads the workloads of the kinds that the operator configures.
func (n *namespace) readCustom(ctx context.Context, reader client.Reader, name string) error {
	for _, k := range n.kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.FromAPIVersionAndKind(k.APIVersion, k.Kind+"List"))
		if err := reader.List(ctx, list, client.InNamespace(name)); err != nil {
			return err
		}
		for i := range list.Items {
			n.workloads[owner.Workload{Kind: k.Kind, Name: list.Items[i].GetName()}] = &list.Items[i]
		}
	}
	return nil
}

// assign sorts pods by the workload that they belong to. Resources of a pod as a whole bound those of its containers: such a pod is
// left alone, at admission too.
func (n *namespace) assign(pods []*corev1.Pod) {
	for _, pod := range pods {
		w, ok := n.kinds.Of(pod)
		if !ok || apply.HasPodLevelResources(pod) {
			continue
		}
		if _, evicted := eviction.ForMemory(pod); evicted {
			n.lost[w] = append(n.lost[w], pod)
		} else if !ended(pod) {
			n.pods[w] = append(n.pods[w], pod)
		}
	}
}

func (n *namespace) readBudgets(ctx context.Context, reader client.Reader, name string) error {
	var list policyv1.PodDisruptionBudgetList
	if err := reader.List(ctx, &list, client.InNamespace(name)); err != nil {
		return err
	}
	for i := range list.Items {
		pdb := &list.Items[i]
		selector, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector) // nil selects nothing, empty everything
		if err != nil {
			selector = labels.Everything() // The API server refuses such a selector; if not, it may mean any pod.
		}
		b := disruptionBudget{plan.DisruptionBudget{Name: pdb.Name, Allowed: pdb.Status.DisruptionsAllowed, Healthy: pdb.Status.CurrentHealthy}, selector}
		if least := pdb.Spec.MinAvailable; least != nil && least.Type == intstr.Int {
			b.Keeps = least.IntVal
		}
		if pdb.Status.ObservedGeneration < pdb.Generation {
			b.Allowed, b.Healthy = 0, 0 // The status answers an older spec.
		}
		n.budgets = append(n.budgets, b)
	}
	return nil
}

func (n *namespace) readScalers(ctx context.Context, reader client.Reader, name string) error {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := reader.List(ctx, &list, client.InNamespace(name)); err != nil {
		return err
	}
	for i := range list.Items {
		target := list.Items[i].Spec.ScaleTargetRef
		n.scalers[owner.Workload{Kind: target.Kind, Name: target.Name}] = list.Items[i].Name
	}
	return nil
}

// policy finds the policy of a workload: the one that is named, else the namespace's default, else the operator's alone. It
// is false where the one that is named does not exist.
func (g *gatherer) policy(ns *namespace, name string) (v1alpha1.SizingPolicySpec, bool) {
	named := name != ""
	if !named {
		name = v1alpha1.DefaultPolicyName
	}
	if p := ns.policies[name]; p != nil {
		return config.ResolvePolicy(g.config.Policy, p.Spec), true
	}
	return g.config.Policy, !named
}

func disruption(p v1alpha1.DisruptionPolicy) plan.Disruption {
	return plan.Disruption{
		MaxUnavailable:   orDefault(p.MaxUnavailable, intstr.FromInt32(1)),
		EvictionsPerHour: orDefault(p.EvictionsPerHour, 0),
		MinReplicas:      orDefault(p.MinReplicas, 2),
		Windows:          p.Windows,
		CanaryPods:       orDefault(p.Canary.Pods, 1),
		Observe:          orDefault(p.Canary.Observe, metav1.Duration{Duration: 10 * time.Minute}).Duration,
		StartupGrace:     orDefault(p.StartupGrace, metav1.Duration{Duration: 5 * time.Minute}).Duration,
	}
}

// orDefault is the value, or the cautious one where a policy could not be completed.
func orDefault[T any](value *T, cautious T) T {
	if value == nil {
		return cautious
	}
	return *value
}
