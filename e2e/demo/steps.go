package main

import (
	"context"
	"fmt"
	"time"

	"github.com/loadline-dev/loadline/apply"
)

// Columns that kubectl shows of workloads and of pods. The story sets them once, as a person would, because they are long.
const (
	workloadColumns = `custom-columns=NAME:.metadata.name,PODS:.spec.replicas,CPU:.spec.template.spec.containers[0].resources.requests.cpu,` +
		`MEMORY:.spec.template.spec.containers[0].resources.requests.memory`
	podColumns = `custom-columns=POD:.metadata.name,CPU:.spec.containers[0].resources.requests.cpu,` +
		`MEMORY:.spec.containers[0].resources.requests.memory,RESTARTS:.status.containerStatuses[0].restartCount,` +
		`BORN:.metadata.creationTimestamp,ADMITTED-WITH:.metadata.annotations.loadline\.dev/revision`
)

func (d *demo) look(ctx context.Context) error {
	d.set("WORKLOADS", workloadColumns)
	d.set("PODS", podColumns)
	if err := d.run(ctx, `kubectl get deployments,statefulsets -n shop -o "$WORKLOADS"`); err != nil {
		return err
	}
	var err error
	if d.before, err = d.reserved(ctx); err != nil {
		return err
	}
	used, err := d.used(ctx)
	if err != nil {
		return err
	}
	d.say("Seven workloads, each sized by a guess. Together their pods reserve %.1f cores and %.1f GiB. In 99 %% of the last 14 days, "+
		"says Prometheus, they used less than %.1f cores and %.1f GiB. And yet one of them, payments, was killed for lack of memory.",
		d.before.cores, d.before.gib, used.cores, used.gib)
	return nil
}

func (d *demo) optIn(ctx context.Context) error {
	d.say("Loadline does nothing until a namespace opts in. A SizingPolicy is optional; this one says that a size may be " +
		"lowered in one step, where the default is to halve it at most and then to wait for a day.")
	policy := `kubectl apply -f - <<END
apiVersion: loadline.dev/v1alpha1
kind: SizingPolicy
metadata: {name: default, namespace: shop}
spec: {behavior: {down: {maxStepPercent: 100}}}
END`
	if err := d.run(ctx, policy, "kubectl annotate namespace shop loadline.dev/mode=dry-run"); err != nil {
		return err
	}
	err := d.until(ctx, "every workload has a recommendation", func(ctx context.Context) (string, error) {
		sized, err := d.countSized(ctx)
		if err == nil && sized < d.workloads {
			return fmt.Sprintf("%d of %d workloads have one", sized, d.workloads), nil
		}
		return "", err
	})
	if err != nil {
		return err
	}
	d.progress("14 days of history were read, and every workload has a recommendation")
	if err := d.run(ctx, "kubectl get recommendations -n shop", "loadline report -n shop"); err != nil {
		return err
	}
	now, err := d.reserved(ctx)
	if err != nil {
		return err
	}
	if now != d.before {
		return fmt.Errorf("dry-run changed what pods reserve from %v to %v", d.before, now)
	}
	d.say("CPU covers at least the 95th percentile of the use of recent days plus 5 %%, memory the highest use of a week plus 15 %%. No pod " +
		"was touched: dry-run writes Recommendation objects and events, and nothing else.")
	return nil
}

func (d *demo) explain(ctx context.Context) error {
	if err := d.run(ctx, "loadline explain deployment/checkout -n shop"); err != nil {
		return err
	}
	d.say("Every number has its sentence. Two more workloads have something to tell: payments was killed for lack of memory, and " +
		"worker leaks.")
	const telling = " -n shop | grep -iE '^  (critical|warning)|memory:'"
	if err := d.run(ctx, "loadline explain deployment/payments"+telling, "loadline explain deployment/worker -n shop | grep MemoryLeakSuspected"); err != nil {
		return err
	}
	d.say("What a kill teaches holds at once and does not wait for two weeks of history. A leak is not fed with ever more memory; " +
		"it is reported.")
	return nil
}

func (d *demo) newPod(ctx context.Context) error {
	want, err := d.sizes(ctx, checkout)
	if err != nil {
		return err
	}
	if err := d.scaleUp(ctx, want.Target); err != nil {
		return err
	}
	if err := d.run(ctx, `kubectl get deployment checkout -n shop -o "$WORKLOADS"`, checkoutPods); err != nil {
		return err
	}
	d.say("The Deployment still says what its authors wrote. The webhook gave the new pod, the last one, its size on the way in, and noted " +
		"which revision that was. The older pods may differ a little, because they follow the next hour.")
	return nil
}

// checkoutPods lists the pods of checkout, the newest last.
const checkoutPods = `kubectl get pods -n shop -l app=checkout --sort-by=.metadata.creationTimestamp -o "$PODS"`

// scaleUp adds a pod to checkout and waits until it is ready with the requests that it should have.
func (d *demo) scaleUp(ctx context.Context, want apply.Amounts) error {
	before, err := d.pods(ctx, checkout)
	if err != nil {
		return err
	}
	if err := d.run(ctx, fmt.Sprintf("kubectl scale deployment checkout -n shop --replicas=%d", len(before)+1)); err != nil {
		return err
	}
	return d.until(ctx, "a new pod of checkout is ready", func(ctx context.Context) (string, error) {
		pods, err := d.pods(ctx, checkout)
		if err != nil {
			return "", err
		}
		for i := range pods {
			switch {
			case uids(before)[pods[i].UID] || !ready(&pods[i]):
			case requested(&pods[i]) != want:
				return "", fmt.Errorf("pod %s was admitted with %+v instead of %+v", pods[i].Name, requested(&pods[i]), want)
			default:
				return "", nil
			}
		}
		return "it is not ready", nil
	})
}

func (d *demo) announceSale(ctx context.Context) error {
	usual, err := d.sizes(ctx, checkout)
	if err != nil {
		return err
	}
	opens := time.Now().UTC().Add(20 * time.Minute).Truncate(time.Minute)
	const recommendation = "kubectl get recommendation deployment-checkout -n shop"
	err = d.run(ctx, recommendation, fmt.Sprintf(`kubectl annotate namespace shop loadline.dev/event.sale="%s/%s demand=300%%"`,
		opens.Format(time.RFC3339), opens.Add(4*time.Hour).Format(time.RFC3339)))
	if err != nil {
		return err
	}
	err = d.until(ctx, "checkout is raised", func(ctx context.Context) (string, error) {
		now, err := d.sizes(ctx, checkout)
		if err == nil && now.Target.CPUMillis < 2*usual.Target.CPUMillis {
			return fmt.Sprintf("the target is %dm, it was %dm", now.Target.CPUMillis, usual.Target.CPUMillis), nil
		}
		if err != nil {
			return "", err
		}
		return d.missingInPlace(ctx, checkout)
	})
	if err != nil {
		return err
	}
	if err := d.run(ctx, recommendation, "loadline explain deployment/checkout -n shop | grep -E 'sale|CPU: '", checkoutPods); err != nil {
		return err
	}
	d.say("The sale opens at %s, in about %.0f minutes. Capacity is prepared half an hour ahead, so the target and the running pods are up "+
		"already. When the sale is over, the target comes back by itself.", opens.Format("15:04 UTC"), time.Until(opens).Minutes())
	return nil
}

func (d *demo) optOut(ctx context.Context) error {
	before, err := d.pods(ctx, "")
	if err != nil {
		return err
	}
	written, err := d.written(ctx, checkout)
	if err != nil {
		return err
	}
	if err := d.run(ctx, "kubectl annotate namespace shop loadline.dev/mode-"); err != nil {
		return err
	}
	if err := d.scaleUp(ctx, written); err != nil {
		return err
	}
	if err := d.run(ctx, checkoutPods); err != nil {
		return err
	}
	after, err := d.pods(ctx, "")
	if err != nil {
		return err
	}
	for i := range before {
		if !uids(after)[before[i].UID] {
			return fmt.Errorf("opting out took pod %s away", before[i].Name)
		}
	}
	d.say("No pod was restarted or replaced. The next one, the last in the list, came as its Deployment says: Loadline has let go of the " +
		"namespace.")
	return nil
}

func (d *demo) summary() {
	d.heading("What it came to")
	d.say("The shop reserved %.1f cores and %.1f GiB; once Loadline had looked after it, %.1f cores and %.1f GiB: %.1f cores and "+
		"%.1f GiB less, with more memory for the one that had too little. The memory of cache will follow when its pods are replaced, "+
		"because a running pod's memory limit is never lowered. Not a single pod was restarted to save something. All of this took %.0f s.",
		d.before.cores, d.before.gib, d.after.cores, d.after.gib, d.before.cores-d.after.cores, d.before.gib-d.after.gib,
		time.Since(d.begun).Seconds())
	d.say("Next: `make demo KEEP=1` leaves all of it running for your own hands. docs/annotations.md has every annotation. In your own " +
		"cluster, begin with loadline.dev/mode=dry-run and `loadline report`.")
}
