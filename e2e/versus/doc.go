// Package versus plays the policy `vpa` of package replay against VPA itself: the recommender and the updater's rule of
// k8s.io/autoscaler/vertical-pod-autoscaler, imported and driven sample by sample. It consists of tests only:
//
//	go test -v ./versus                # 20 generated workloads
//	DATA=<folder> go test -v ./versus  # and 20 recorded ones
//
// Two things are compared, for CPU and memory together, at a checkpoint every five minutes:
//
//   - Recommendations: target, lower and upper bound of both resources. The real VPA decides when the pod is replaced, and
//     the replay's is told, so that each checkpoint stands for itself. Once more for another percentile, with the minimum
//     that VPA gives every pod, and over a history so long that the histograms shift their weights.
//   - Replays: both run on their own, and what one requests decides what it does next. The requests in every step have to be
//     the same, and so have slack, violations, unmet demand, kills and changes, which are computed here from the requests of
//     the real one. Once more with CPU alone.
//
// Two values are equal if they differ by no more than 1 %. In fact they are the same to the last millicore and byte; the
// tolerance is for platforms whose floating point rounds otherwise.
//
// On both sides usage is measured once a minute, a pod is there as soon as it is wanted, and a container that uses more
// memory than it requests is killed, at most once an hour. Not compared: what surrounds the rule in the updater, such as its
// limits on how many pods may be evicted at a time and its refusal to evict a single replica.
package versus
