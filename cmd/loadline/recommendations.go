package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// pageSize is how many objects are listed per request.
const pageSize = 250

// kinds maps what people type to Kubernetes' own kinds.
var kinds = map[string]string{
	"deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment",
	"statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet",
	"daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet",
	"cronjob": "CronJob", "cronjobs": "CronJob", "cj": "CronJob",
}

// typed is a kind as people type it.
func typed(kind string) string { return strings.ToLower(kind) }

// parseWorkload reads "deployment/checkout". A kind that is none of Kubernetes' own is returned as it was typed.
func parseWorkload(argument string) (kind, name string, err error) {
	given, name, found := strings.Cut(argument, "/")
	if !found || given == "" || name == "" || strings.Contains(name, "/") {
		return "", "", usageError("workload %q: write kind/name, such as deployment/checkout", argument)
	}
	return cmp.Or(kinds[strings.ToLower(given)], given), name, nil
}

func newClient(flags *clusterFlags) (client.Client, error) {
	restConfig, err := flags.restConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme), batchv1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("prepare the client: %w", err)
	}
	c, err := client.New(restConfig, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return c, nil
}

// find returns the Recommendation of a workload, or an error that says what to do when there is none.
func (a asked) find(ctx context.Context, c client.Client) (*v1alpha1.Recommendation, error) {
	kind, name, err := parseWorkload(a.workload)
	if err != nil {
		return nil, err
	}
	if _, known := kinds[typed(kind)]; !known {
		return a.findCustom(ctx, c)
	}
	rec := &v1alpha1.Recommendation{}
	key := types.NamespacedName{Namespace: a.namespace, Name: v1alpha1.RecommendationName(kind, name)}
	switch err := c.Get(ctx, key, rec); {
	case err == nil:
		return rec, nil
	case apierrors.IsNotFound(err):
		return nil, a.missing(ctx, c)
	default:
		return nil, explainReadError(err)
	}
}

// findCustom returns the Recommendation of a workload of another kind, such as rollout/web or rollouts/web. Only the objects know how
// such a kind is spelled.
func (a asked) findCustom(ctx context.Context, c client.Client) (*v1alpha1.Recommendation, error) {
	all, err := listRecommendations(ctx, c, a.namespace, func(int, int) {})
	if err != nil {
		return nil, err
	}
	kind, name, _ := strings.Cut(a.workload, "/")
	for i, rec := range all {
		target := rec.Spec.TargetRef
		if target.Name == name && (strings.EqualFold(target.Kind, kind) || strings.EqualFold(target.Kind+"s", kind)) {
			return &all[i], nil
		}
	}
	return nil, a.missing(ctx, c)
}

// explainReadError adds what a person can do to errors of a cluster without Loadline.
func explainReadError(err error) error {
	if apimeta.IsNoMatchError(err) {
		return fmt.Errorf("this cluster has no Loadline, or --context names another one; to install it, which needs your image and the address of your Prometheus, see README.md, Installing it in a cluster: %w", err)
	}
	if _, network := errors.AsType[net.Error](err); network {
		return fmt.Errorf("the cluster does not answer; look at --kubeconfig and --context: %w", err)
	}
	return fmt.Errorf("read recommendations: %w", err)
}

// listRecommendations reads all pages; seen is called after each with the number read and the number left.
func listRecommendations(ctx context.Context, c client.Client, namespace string, seen func(read, left int)) ([]v1alpha1.Recommendation, error) {
	var all []v1alpha1.Recommendation
	next := ""
	for {
		page := &v1alpha1.RecommendationList{}
		if err := c.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next)); err != nil {
			return nil, explainReadError(err)
		}
		all = append(all, page.Items...)
		left := 0
		if page.RemainingItemCount != nil {
			left = int(*page.RemainingItemCount)
		}
		seen(len(all), left)
		if next = page.Continue; next == "" {
			return all, nil
		}
	}
}
