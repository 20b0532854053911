package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/config"
)

// partNames are the parts of Loadline; "all" is all of them in one process.
var partNames = []string{"recommender", "webhook", "updater"}

// parts are what is deployed.
type parts struct {
	examiner
	found []Finding
}

// parts finds the Deployments of Loadline. Where none can be seen, every part is taken to run under the account that ships.
func (e examiner) parts(ctx context.Context) parts {
	const check = "parts"
	p := parts{examiner: e}
	p.accounts, p.deployments = map[string]string{}, map[string]string{}
	list := &appsv1.DeploymentList{}
	err := e.client.List(ctx, list, client.InNamespace(e.Config.Namespace), client.MatchingLabels{"app.kubernetes.io/part-of": "loadline"})
	if err != nil {
		p.found = append(p.found, unseen(check, "the Deployments in namespace "+e.Config.Namespace, err))
	}
	for i := range list.Items {
		p.add(&list.Items[i])
	}
	if len(p.accounts) > 0 {
		return p
	}
	if err == nil {
		p.found = append(p.found, Finding{
			Check: check, Severity: Warning, What: "no part of Loadline is deployed here", Where: "namespace/" + e.Config.Namespace,
			Fix: "kubectl get deployments --all-namespaces --selector app.kubernetes.io/part-of=loadline",
		})
	}
	for _, part := range partNames {
		p.accounts[part] = "loadline-" + part
	}
	return p
}

// add notes the parts of one Deployment, and whether it runs.
func (p *parts) add(d *appsv1.Deployment) {
	for _, c := range d.Spec.Template.Spec.Containers {
		if len(c.Args) == 0 {
			continue
		}
		runs := []string{c.Args[0]}
		if c.Args[0] == "all" {
			runs, p.allInOne = partNames, true
		}
		for _, part := range runs {
			if slices.Contains(partNames, part) {
				p.accounts[part], p.deployments[part] = d.Spec.Template.Spec.ServiceAccountName, d.Name
				p.release = cmp.Or(p.release, d.Annotations[releaseAnnotation])
			}
			if part == "webhook" {
				p.webhookLabels = d.Spec.Template.Labels
			}
		}
	}
	p.found = append(p.found, p.judge(d))
}

// judge tells whether a Deployment runs, and in its newest version.
func (p *parts) judge(d *appsv1.Deployment) Finding {
	wanted, s := int32(1), d.Status
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	f := Finding{Check: "parts", Severity: OK, Where: "deployment/" + d.Name, What: fmt.Sprintf("%d of %d replicas are available", s.AvailableReplicas, wanted)}
	switch {
	case wanted == 0:
		f.Severity, f.What = Warning, "it is scaled to zero"
		f.Fix = fmt.Sprintf("kubectl --namespace %s scale deployment/%s --replicas=1", d.Namespace, d.Name)
		if p.release != "" {
			f.Fix = p.install("") // Its own number, which the next upgrade does not take for a conflict.
		}
		return f
	case s.AvailableReplicas == 0:
		f.Severity, f.What = Error, "none of its replicas is available"
	case s.UpdatedReplicas < wanted:
		f.Severity = Warning
		f.What += fmt.Sprintf(", and %d run what was installed last: others run what was there before", s.UpdatedReplicas)
	case s.AvailableReplicas < wanted:
		f.Severity = Warning
	}
	if f.Severity != OK {
		f.Fix = fmt.Sprintf("kubectl --namespace %s describe pods --selector app.kubernetes.io/name=%s", d.Namespace, d.Name)
	}
	return f
}

// runs reports whether a part is deployed. Where no Deployment can be seen, all are taken to be.
func (i installation) runs(part string) bool {
	_, deployed := i.accounts[part]
	return deployed
}

// findings are those about Deployments, and whether the parts of which one has to lead have a leader.
func (p *parts) findings(ctx context.Context) []Finding {
	elections := map[string]config.LeaderElection{"recommender": p.Config.Recommender.LeaderElection, "updater": p.Config.Updater.LeaderElection}
	found, now := slices.Clone(p.found), p.now(ctx)
	for _, part := range partNames {
		election, elects := elections[part]
		if _, deployed := p.accounts[part]; deployed && elects && election.Enabled {
			found = append(found, p.leader(ctx, part, election, now))
		}
	}
	return found
}

// now is the time by the API server's clock, which those who lead are closer to than this machine; by this machine's if it does not tell.
func (p *parts) now(ctx context.Context) time.Time {
	if theirs, err := serverTime(ctx, p.REST); err == nil {
		return theirs
	}
	return p.Clock.Now()
}

func (p *parts) leader(ctx context.Context, part string, election config.LeaderElection, now time.Time) Finding {
	f := Finding{Check: "leader", Severity: Error, Where: "lease/" + election.LeaseName, Fix: p.restart(part)}
	lease := &coordinationv1.Lease{}
	err := p.client.Get(ctx, client.ObjectKey{Namespace: p.Config.Namespace, Name: election.LeaseName}, lease)
	held := lease.Spec
	switch {
	case apierrors.IsNotFound(err):
		f.What = fmt.Sprintf("no %s has ever run", part)
	case err != nil:
		return unseen(f.Check, f.Where, err)
	case held.HolderIdentity == nil || *held.HolderIdentity == "" || held.RenewTime == nil:
		f.What = fmt.Sprintf("no %s leads: the last one has stopped", part)
	case now.Sub(held.RenewTime.Time) > 2*election.LeaseDuration.Duration:
		f.What = fmt.Sprintf("no %s leads: %s was last heard of %s ago", part, *held.HolderIdentity, now.Sub(held.RenewTime.Time).Round(time.Second))
	default:
		return Finding{Check: f.Check, Severity: OK, Where: f.Where, What: fmt.Sprintf("the %s works: %s leads", part, *held.HolderIdentity)}
	}
	return f
}
