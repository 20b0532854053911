package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/e2e/install"
	"github.com/loadline-dev/loadline/e2e/shop"
)

// quick shortens the waits between two looks. Budgets and safety rules are those that ship.
func quick(cfg *config.Config) {
	cfg.Recommender.SyncInterval.Duration = 3 * time.Second
	cfg.Updater.Interval.Duration = time.Second
	cfg.Updater.WarmUp.Duration = time.Second
}

// openShop creates the shop as it would be without Loadline, and makes payments' trouble happen.
func (d *demo) openShop(ctx context.Context, workloads []shop.Workload, now time.Time) error {
	scheme, err := install.Scheme()
	if err != nil {
		return err
	}
	admin, err := client.New(d.cluster.AdminConfig, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	d.admin = admin
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Namespace}}, paymentsBudget()}
	pods := 0
	for _, w := range workloads {
		objects = append(objects, w.Object(now))
		pods += int(w.Replicas)
	}
	for _, object := range objects {
		if err := admin.Create(ctx, object); err != nil {
			return fmt.Errorf("create %s: %w", object.GetName(), err)
		}
	}
	err = d.until(ctx, "the shop's pods are ready", func(ctx context.Context) (string, error) {
		all, err := d.pods(ctx, "")
		if ready := countReady(all); err == nil && ready < pods {
			return fmt.Sprintf("%d of %d pods are ready", ready, pods), nil
		}
		return "", err
	})
	if err != nil {
		return err
	}
	d.progress("the shop is open: %d workloads, %d pods, 14 days of history", len(workloads), pods)
	return d.troublePayments(ctx)
}

// paymentsBudget is what careful people have: of three pods two are ready at any time.
func paymentsBudget() *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: payments},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(2)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": payments}},
		},
	}
}

// troublePayments has one pod of payments killed for lack of memory, and has the nodes refuse to resize those that run now.
func (d *demo) troublePayments(ctx context.Context) error {
	pods, err := d.pods(ctx, payments)
	if err != nil {
		return err
	}
	for i := range pods {
		before := pods[i].DeepCopy()
		pods[i].Annotations["kwok.x-k8s.io/resize"] = "infeasible"
		if i == 0 {
			pods[i].Annotations["e2e/oom"] = "app"
		}
		if err := d.admin.Patch(ctx, &pods[i], client.MergeFrom(before)); err != nil {
			return fmt.Errorf("annotate pod %s: %w", pods[i].Name, err)
		}
	}
	return d.until(ctx, "a pod of payments was killed for lack of memory", func(ctx context.Context) (string, error) {
		now, err := d.pods(ctx, payments)
		for i := range now {
			if restarts(&now[i]) > 0 {
				return "", err
			}
		}
		return "no pod was restarted", err
	})
}
