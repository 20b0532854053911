package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// result is what one system did in one round.
type result struct {
	// asked is how long each answer took when the webhook was asked without the API server, and paced how long each pod took to
	// be created at the fixed rate.
	asked, paced []time.Duration
	// webhook is the mean time that the API server waited for the webhook, by its own account.
	webhook time.Duration
	// perSecond is how many pods were created as fast as possible.
	perSecond float64
	// missed counts the pods that the webhook should have sized and that came as they were written: it was too slow.
	missed int
	// cpu and server are the times of the webhook and of the API server while pods were created at the fixed rate, and peak is the
	// webhook's largest resident memory so far in bytes.
	cpu, server time.Duration
	peak        int64
}

// measure does all rounds and returns the results of each system.
func (b *bed) measure(ctx context.Context) (map[string][]result, error) {
	results := map[string][]result{}
	for round := range b.rounds {
		for _, i := range order(round, len(b.systems)) {
			s := b.systems[i]
			b.say("round %d of %d: %s", round+1, b.rounds, s.name)
			r, err := b.measureOne(ctx, s)
			if err != nil {
				return nil, fmt.Errorf("measure %s: %w", s.name, err)
			}
			results[s.name] = append(results[s.name], r)
		}
	}
	return results, nil
}

// order is a round's order of n systems. For an even n, n rounds are a Williams design: each system comes once after each other one, so
// that what one leaves behind, such as an etcd that compacts, does not always meet the same one.
//
// Source: E. J. Williams, Experimental designs balanced for the estimation of residual effects of treatments, 1949.
func order(round, n int) []int {
	all := make([]int, n)
	for i := range all {
		step := (i + 1) / 2
		if i%2 == 0 {
			step = n - step
		}
		all[i] = (round + step) % n
	}
	return all
}

func (b *bed) measureOne(ctx context.Context, s *system) (r result, err error) {
	manager := b.cluster.Process("kube-controller-manager")
	manager.Pause()
	defer manager.Resume()
	if s.url != "" {
		if r.asked, err = b.ask(ctx, s); err != nil {
			return r, err
		}
	}
	var missed atomic.Int64
	if err := b.atAPace(ctx, s, &r, &missed); err != nil {
		return r, err
	}
	if err := b.removePods(ctx, s); err != nil {
		return r, err
	}
	if r.perSecond, err = b.asFastAsPossible(ctx, s, &missed); err != nil {
		return r, err
	}
	r.missed = int(missed.Load())
	return r, b.removePods(ctx, s)
}

// atAPace creates the pods at the fixed rate, and looks at the webhook and at the API server before and after.
func (b *bed) atAPace(ctx context.Context, s *system, r *result, missed *atomic.Int64) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	before, err := b.look(ctx, s)
	if err != nil {
		return err
	}
	r.paced, err = b.paced(ctx, func(ctx context.Context, i int) error { return b.create(ctx, s, i, missed) })
	if err != nil {
		return err
	}
	after, err := b.look(ctx, s)
	if err != nil {
		return err
	}
	r.server, r.cpu, r.peak = after.server.CPU-before.server.CPU, after.webhook.CPU-before.webhook.CPU, after.webhook.Peak
	r.webhook, err = b.waitedFor(s, before.waited, after.waited)
	return err
}

// waitedFor is the mean time that the API server waited for a system's webhook. Who is not measured must not have been asked.
func (b *bed) waitedFor(s *system, before, after map[string]waiting) (mean time.Duration, err error) {
	for _, other := range b.systems {
		want := 0
		if other == s && s.webhook != "" {
			want = b.options.pods
		}
		calls := after[other.webhook].calls - before[other.webhook].calls
		if int(calls) != want {
			return 0, fmt.Errorf("the API server asked the webhook of %s %v times, want %d", other.name, calls, want)
		}
		if calls > 0 {
			mean = time.Duration((after[other.webhook].seconds - before[other.webhook].seconds) / calls * float64(time.Second))
		}
	}
	return mean, nil
}

// create creates a pod and notes whether it has the sizes that it should.
func (b *bed) create(ctx context.Context, s *system, i int, missed *atomic.Int64) error {
	created, err := b.pods.CoreV1().Pods(s.namespace).Create(ctx, s.pod(i), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if s.url != "" && created.Spec.Containers[0].Resources.Requests.Cpu().String() != recommendedCPU {
		missed.Add(1)
	}
	return nil
}

// paced begins the i-th call at its time whether the ones before it have ended or not, and returns how long each took. The
// runtime's timers, which are a millisecond late, do not count.
func (b *bed) paced(ctx context.Context, call func(ctx context.Context, i int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, b.options.pods)
	var running sync.WaitGroup
	begin := time.Now()
	for i := range took {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(b.rate))
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(due)):
		}
		began := time.Now()
		running.Go(func() {
			if err := call(ctx, i); err != nil {
				cancel(err)
			}
			took[i] = time.Since(began)
		})
	}
	running.Wait()
	slices.Sort(took)
	return took, context.Cause(ctx)
}

// asFastAsPossible creates all pods with parallel clients and returns how many that are per second.
func (b *bed) asFastAsPossible(ctx context.Context, s *system, missed *atomic.Int64) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	begin := time.Now()
	for range b.workers {
		workers.Go(func() {
			for i := range next {
				if err := b.create(ctx, s, i, missed); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range b.options.pods {
		next <- i
	}
	close(next)
	workers.Wait()
	return float64(b.options.pods) / time.Since(begin).Seconds(), context.Cause(ctx)
}

func (b *bed) removePods(ctx context.Context, s *system) error {
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
	if err := b.pods.CoreV1().Pods(s.namespace).DeleteCollection(ctx, now, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("remove the pods: %w", err)
	}
	return poll(ctx, time.Minute, func() error {
		left, err := b.pods.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("pods are left")
		}
		return err
	})
}

// ask sends the webhook what the API server would send it.
func (b *bed) ask(ctx context.Context, s *system) ([]time.Duration, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca)
	httpClient := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: b.rate,
	}}
	defer httpClient.CloseIdleConnections()
	reviews := make([][]byte, b.options.pods)
	for i := range reviews {
		var err error
		if reviews[i], err = json.Marshal(review(s.pod(i))); err != nil {
			return nil, fmt.Errorf("encode a request: %w", err)
		}
	}
	return b.paced(ctx, func(ctx context.Context, i int) error { return askOnce(ctx, httpClient, s.url, reviews[i]) })
}

func askOnce(ctx context.Context, httpClient *http.Client, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(text, &answer); err != nil || answer.Response == nil || len(answer.Response.Patch) == 0 {
		return fmt.Errorf("the webhook answered %s without a patch: %s", response.Status, text)
	}
	return nil
}

// review is the request for the creation of a pod.
func review(pod *corev1.Pod) *admissionv1.AdmissionReview {
	raw, _ := json.Marshal(pod) // A pod that the API server takes can be encoded.
	gvk := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	gvr := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: uuid.NewUUID(), Kind: gvk, Resource: gvr, RequestKind: &gvk, RequestResource: &gvr,
			Namespace: pod.Namespace, Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: raw},
		},
	}
}
