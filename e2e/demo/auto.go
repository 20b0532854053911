package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/loadline-dev/loadline/apply"
)

// switchToAuto shows both ways of bringing a running pod to its size.
func (d *demo) switchToAuto(ctx context.Context) error {
	if err := d.run(ctx, `kubectl get pods -n shop -l 'app in (checkout,payments)' -o "$PODS"`); err != nil {
		return err
	}
	d.say("checkout has far too much, and its nodes resize pods in place. payments has too little, and its nodes refuse to resize the " +
		"pods that run now (the simulation sees to that), so they have to be evicted. Its PodDisruptionBudget wants two of three pods " +
		"ready at any time.")
	least := d.watchReady(ctx, payments)
	defer least()
	if err := d.run(ctx, "kubectl annotate namespace shop loadline.dev/mode=auto --overwrite"); err != nil {
		return err
	}
	if err := d.resizeInPlace(ctx); err != nil {
		return err
	}
	if err := d.evict(ctx, least); err != nil {
		return err
	}
	var err error
	d.after, err = d.reserved(ctx)
	return err
}

func (d *demo) resizeInPlace(ctx context.Context) error {
	before, err := d.pods(ctx, checkout)
	if err != nil {
		return err
	}
	begun := time.Now()
	err = d.until(ctx, "checkout's pods are resized", func(ctx context.Context) (string, error) { return d.missingInPlace(ctx, checkout) })
	if err != nil {
		return err
	}
	took := time.Since(begun)
	after, err := d.pods(ctx, checkout)
	if err != nil {
		return err
	}
	if err := d.run(ctx, `kubectl get pods -n shop -l app=checkout -o "$PODS"`); err != nil {
		return err
	}
	if !maps.Equal(uids(before), uids(after)) {
		return fmt.Errorf("pods of %s were replaced instead of resized", checkout)
	}
	for i := range after {
		if restarts(&after[i]) > 0 {
			return fmt.Errorf("pod %s was restarted", after[i].Name)
		}
	}
	d.say("The same pods, none restarted: resized in place within %.0f s. Running pods follow the forecast of the next hour, and may "+
		"give back at most a quarter of what new pods get.", took.Seconds()+1)
	return nil
}

// inBand says whether a pod that has so much has not drifted.
func inBand(want apply.Container, have apply.Amounts) bool {
	return want.CPUBand.Contains(have.CPUMillis) && want.MemoryBand.Contains(have.MemoryBytes)
}

// missingInPlace says which pod of a Deployment has drifted, by what its node reports.
func (d *demo) missingInPlace(ctx context.Context, deployment string) (string, error) {
	want, err := d.sizes(ctx, deployment)
	if err != nil {
		return "", err
	}
	pods, err := d.pods(ctx, deployment)
	if err != nil {
		return "", err
	}
	for i := range pods {
		if have := running(&pods[i]); !inBand(want, have) {
			return fmt.Sprintf("%s runs with %+v, in place it should have %+v", pods[i].Name, have, want.InPlace), nil
		}
	}
	return "", nil
}

func (d *demo) evict(ctx context.Context, leastReady func() int) error {
	old, err := d.pods(ctx, payments)
	if err != nil {
		return err
	}
	err = d.until(ctx, "payments' pods are replaced, one after the other", func(ctx context.Context) (string, error) {
		return d.missingReplaced(ctx, old)
	})
	if err != nil {
		return err
	}
	least := leastReady()
	err = d.run(ctx,
		`kubectl get pods -n shop -l app=payments -o "$PODS"`,
		"kubectl get poddisruptionbudget payments -n shop",
		"kubectl get events -n shop --field-selector involvedObject.name=payments,reason=Evicted",
	)
	if err != nil {
		return err
	}
	if least < 2 {
		return fmt.Errorf("only %d pods of %s were ready at some moment, its PodDisruptionBudget wants 2", least, payments)
	}
	d.say("The node refused the resize, so the pods were evicted through the eviction API, one after the other: at least %d of 3 were "+
		"ready at every moment. Loadline does this only for a pod that has too little. To save something is no reason to evict.", least)
	return nil
}

// missingReplaced says how many of the pods of payments are not yet replaced by one that has the recommended size.
func (d *demo) missingReplaced(ctx context.Context, old []corev1.Pod) (string, error) {
	want, err := d.sizes(ctx, payments)
	if err != nil {
		return "", err
	}
	pods, err := d.pods(ctx, payments)
	if err != nil {
		return "", err
	}
	right := 0
	for i := range pods {
		if !uids(old)[pods[i].UID] && ready(&pods[i]) && inBand(want, running(&pods[i])) {
			right++
		}
	}
	if right < len(old) || len(pods) > len(old) {
		return fmt.Sprintf("%d of %d pods are new and have the size", right, len(pods)), nil
	}
	return "", nil
}

// uids returns the set of the pods' UIDs.
func uids(pods []corev1.Pod) map[types.UID]bool {
	all := map[types.UID]bool{}
	for i := range pods {
		all[pods[i].UID] = true
	}
	return all
}
