package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/apply"
	"github.com/loadline-dev/loadline/config"
)

func newCleanupCommand(flags *clusterFlags, std streams) *cobra.Command {
	c := cleanup{out: std.out, clock: clock.RealClock{}, config: config.Default()}
	var dryRun, force bool
	var configFile string
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Take back what Loadline left on other objects, before it is uninstalled",
		Long: "Take back what Loadline left on other objects, in the whole cluster: the minReplicas of autoscalers that it raised, its\n" +
			"label on namespaces, and its annotations on Deployments, StatefulSets and the kinds that its configuration adds.\n\n" +
			"Workloads keep running with what they have: no pod is changed, and no number of pods. What people wrote stays, and so\n" +
			"do Recommendations and SizingPolicies. Run it when the parts of Loadline are stopped, or they do it all again.",
		Example: "  loadline cleanup --dry-run\n  loadline cleanup\n" +
			"  # Where nothing of Loadline is left in the cluster\n  loadline cleanup --config config.yaml",
		GroupID: "run",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			restConfig, err := flags.restConfig()
			if err != nil {
				return err
			}
			restConfig.QPS = -1 // One request at a time.
			scheme := runtime.NewScheme()
			if err := clientgoscheme.AddToScheme(scheme); err != nil {
				return fmt.Errorf("know Kubernetes' kinds: %w", err)
			}
			if c.client, err = client.New(restConfig, client.Options{Scheme: scheme}); err != nil {
				return fmt.Errorf("reach the cluster: %w", err)
			}
			if err := c.configure(cmd.Context(), configFile, std.err); err != nil {
				return err
			}
			if dryRun {
				c.prefix, c.client = "would ", client.NewDryRunClient(c.client)
			} else if !force {
				if err := c.stopped(cmd.Context()); err != nil {
					return err
				}
			}
			return c.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be done, and do nothing")
	cmd.Flags().StringVar(&configFile, "config", "", "what Loadline was configured with; without it, what its Deployments use")
	cmd.Flags().BoolVar(&force, "force", false, "do not ask whether Loadline still runs")
	cmd.Flags().StringVar(&c.config.Namespace, operatorNamespaceFlag, c.config.Namespace, "where Loadline runs")
	return cmd
}

// cleanup takes back what Loadline left on objects that are not its own.
type cleanup struct {
	client client.Client
	clock  clock.PassiveClock
	out    io.Writer
	// config of the Loadline that is taken down: its namespace, its leases, and the kinds of workloads that it scaled.
	config config.Config
	// prefix of every line, for a dry run.
	prefix string
}

// configure reads from a file, or else from the cluster, which kinds and leases there are. The namespace is the one that was asked for.
func (c *cleanup) configure(ctx context.Context, file string, warnings io.Writer) error {
	found := installed{}
	if file != "" {
		var err error
		if found.config, err = loadConfig(file); err != nil {
			return err
		}
	} else if found = findInstalled(ctx, c.client, c.config.Namespace); found.doubt != nil {
		_, err := fmt.Fprintf(warnings, "the kinds and leases are those of the defaults: %v\n", found.doubt)
		return err
	}
	found.config.Namespace, c.config = c.config.Namespace, found.config
	return nil
}

// stopped fails while a recommender or updater holds its lease.
func (c *cleanup) stopped(ctx context.Context) error {
	namespace := c.config.Namespace
	for _, name := range []string{c.config.Recommender.LeaderElection.LeaseName, c.config.Updater.LeaderElection.LeaseName} {
		lease := &coordinationv1.Lease{}
		if err := c.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, lease); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("look whether Loadline still runs: %w", err)
		}
		held := lease.Spec
		if held.HolderIdentity == nil || *held.HolderIdentity == "" || held.RenewTime == nil || held.LeaseDurationSeconds == nil {
			continue
		}
		if until := held.RenewTime.Add(time.Duration(*held.LeaseDurationSeconds) * time.Second); c.clock.Now().Before(until) {
			return fmt.Errorf("lease %s/%s is held by %s: stop Loadline first (kubectl scale --namespace %s --replicas=0 deployment --all), or use --force",
				namespace, name, *held.HolderIdentity, namespace)
		}
	}
	return nil
}

// run goes on after an error, so that one object does not keep the others as they are.
func (c *cleanup) run(ctx context.Context) error {
	errs := []error{c.autoscalers(ctx), c.namespaces(ctx)}
	kinds := []schema.GroupVersionKind{appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1.SchemeGroupVersion.WithKind("StatefulSet")}
	for _, k := range c.config.Scaling.Kinds {
		kinds = append(kinds, schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind})
	}
	for _, kind := range kinds {
		errs = append(errs, c.workloads(ctx, kind))
	}
	return errors.Join(errs...)
}

// autoscalers puts back every minimum that nobody else has changed since, and gives up the field, the last owner of which is the one that
// has put it back.
func (c *cleanup) autoscalers(ctx context.Context) error {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := c.client.List(ctx, &list); err != nil {
		return fmt.Errorf("list autoscalers: %w", err)
	}
	var errs []error
	for i := range list.Items {
		hpa := &list.Items[i]
		errs = append(errs,
			c.settled(ctx, hpa, func() error { return c.putBack(ctx, hpa) }),
			c.settled(ctx, hpa, func() error { return c.disown(ctx, hpa) }))
	}
	return errors.Join(errs...)
}

// settled does again what met a conflict, on the object as it is by then: controllers write the status of what is cleaned up all the time.
func (c *cleanup) settled(ctx context.Context, object client.Object, change func() error) error {
	var stale bool
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if stale {
			if err := c.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
				return client.IgnoreNotFound(err)
			}
		}
		stale = true
		return change()
	})
}

// putBack puts the minimum of one autoscaler back, if it was raised.
func (c *cleanup) putBack(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	if _, noted := hpa.Annotations[v1alpha1.AnnotationRaisedMinimum]; !noted {
		return nil
	}
	before := hpa.DeepCopy()
	what := "forget what minReplicas was: somebody else has changed it"
	if raised, ok := apply.Raised(hpa); ok && hpa.Spec.MinReplicas != nil && *hpa.Spec.MinReplicas == raised.Raised {
		hpa.Spec.MinReplicas = &raised.Original
		what = fmt.Sprintf("put minReplicas back from %d to %d", raised.Raised, raised.Original)
	}
	delete(hpa.Annotations, v1alpha1.AnnotationRaisedMinimum)
	return c.change(ctx, hpa, before, "HorizontalPodAutoscaler", what)
}

// namespaces removes the label by which the API server selects namespaces for the webhook.
func (c *cleanup) namespaces(ctx context.Context) error {
	var list corev1.NamespaceList
	if err := c.client.List(ctx, &list, client.HasLabels{v1alpha1.LabelAdmission}); err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	var errs []error
	for i := range list.Items {
		ns := &list.Items[i]
		errs = append(errs, c.settled(ctx, ns, func() error {
			before := ns.DeepCopy()
			delete(ns.Labels, v1alpha1.LabelAdmission)
			return c.change(ctx, ns, before, "Namespace", "remove the label "+v1alpha1.LabelAdmission)
		}))
		if c.prefix == "" && ns.Labels[v1alpha1.LabelAdmission] != "" {
			errs = append(errs, fmt.Errorf("label %s of namespace %s was set again at once: stop Loadline's webhook first", v1alpha1.LabelAdmission, ns.Name))
		}
	}
	return errors.Join(errs...)
}

// workloads removes the annotations about the number of pods, and gives up the field itself: the API server keeps that Loadline set it, and
// would answer a manifest with another number that it is in conflict.
func (c *cleanup) workloads(ctx context.Context, of schema.GroupVersionKind) error {
	kind, list := of.Kind, &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(of.GroupVersion().WithKind(kind + "List"))
	if err := c.client.List(ctx, list); meta.IsNoMatchError(err) {
		return nil // The kind was uninstalled, and with it all that was left on its objects.
	} else if err != nil {
		return fmt.Errorf("list %ss: %w", kind, err)
	}
	var errs []error
	for i := range list.Items {
		object := &list.Items[i]
		object.SetGroupVersionKind(of)
		errs = append(errs, c.settled(ctx, object, func() error { return c.workload(ctx, object) }))
	}
	return errors.Join(errs...)
}

func (c *cleanup) workload(ctx context.Context, object *metav1.PartialObjectMetadata) error {
	before := object.DeepCopy()
	delete(object.Annotations, v1alpha1.AnnotationOriginalReplicas)
	delete(object.Annotations, v1alpha1.AnnotationScaled)
	others, owned := apply.Disown(object, v1alpha1.FieldManagerUpdater)
	object.SetManagedFields(others)
	switch {
	case len(object.Annotations) != len(before.Annotations):
		return c.change(ctx, object, before, object.Kind, "remove the annotations about the number of pods")
	case owned:
		return c.change(ctx, object, before, object.Kind, "give up the number of pods, which stays as it is")
	default:
		return nil
	}
}

// disown gives up the fields of an autoscaler that Loadline wrote.
func (c *cleanup) disown(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	if c.prefix != "" {
		return nil // A dry run did not write any.
	}
	before := hpa.DeepCopy()
	others, owned := apply.Disown(hpa, v1alpha1.FieldManagerUpdater, v1alpha1.FieldManagerCLI)
	if !owned {
		return nil
	}
	hpa.SetManagedFields(others)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.client.Patch(ctx, hpa, patch, client.FieldOwner(v1alpha1.FieldManagerCLI)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("HorizontalPodAutoscaler %s: give up its minReplicas: %w", client.ObjectKeyFromObject(hpa), err)
	}
	return nil
}

// change writes the difference, unless somebody has changed the object meanwhile, and tells it.
func (c *cleanup) change(ctx context.Context, object, before client.Object, kind, what string) error {
	name := kind + " " + client.ObjectKeyFromObject(object).String()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.client.Patch(ctx, object, patch, client.FieldOwner(v1alpha1.FieldManagerCLI)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s: %s: %w", name, what, err)
	}
	_, err := fmt.Fprintf(c.out, "%s: %s%s\n", name, c.prefix, what)
	return err
}
