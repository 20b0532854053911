//go:build full

package storm_test

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/loadline-dev/loadline/e2e/storm"
)

// judgeOutage looks at the time without a webhook. What is evicted then comes back as it was written, and is evicted for nothing.
func (s *tempest) judgeOutage(requests []storm.Request) {
	meanwhile, later := map[string]int{}, 0
	for _, r := range requests {
		switch {
		case r.User != updater || r.At.Before(s.outage.from.Add(noticed)):
		case r.At.Before(s.outage.to):
			meanwhile[r.Subresource]++
		case r.Subresource == "eviction":
			later++
		}
	}
	for asked, n := range meanwhile {
		s.t.Errorf("the updater asked for %d changes by %s while no webhook ran, more than %s after its end", n, asked, noticed)
	}
	if later == 0 {
		s.t.Error("no pod was evicted when the webhook was back, so there may have been nothing left to do while it was away")
	}
}

// judgeLease makes sure that it was not one and the same updater that led all the time, and returns how many led.
func (s *tempest) judgeLease() (leaders int) {
	lease, cfg := &coordinationv1.Lease{}, s.loadline.Config
	s.must(s.loadline.Client.Get(s.t.Context(), client.ObjectKey{Namespace: cfg.Namespace, Name: cfg.Updater.LeaderElection.LeaseName}, lease))
	if n := lease.Spec.LeaseTransitions; n != nil {
		leaders = int(*n) + 1
	}
	if leaders < 2 {
		s.t.Error("the updater's lease has never passed from one to another")
	}
	s.t.Logf("%d updaters led, one after the other", leaders)
	return leaders
}
