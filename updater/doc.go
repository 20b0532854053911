// Package updater brings running pods to the sizes that their Recommendation holds: in place where Kubernetes can, by
// eviction where it cannot, always inside a disruption budget.
//
// One round is gather → plan → act → report. gather reads caches into a plan.Snapshot, the pure package plan decides, act
// asks the API server and names every answer, report writes the outcomes into the Recommendation's status. Before anything is
// done, probe sends a pod through admission, dry-run, and looks whether it comes back with its sizes: as long as it does not,
// an evicted pod would come back as it was.
package updater
