package harness

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	kwokcrd "sigs.k8s.io/kwok/kustomize/crd"
	kwoknode "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	kwokheartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	kwokpod "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

var (
	//go:embed kwok/config.yaml
	kwokConfig string
	//go:embed kwok/pod-stages.yaml
	podStages string
	//go:embed kwok/metrics.yaml
	metricObjects string
)

// podsPerNode is the kubelet's default.
const podsPerNode = "110"

// startNodes starts kwok with our stages and metrics, and makes the nodes.
func (c *Cluster) startNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, crd := range [][]byte{kwokcrd.Stage, kwokcrd.Metric, kwokcrd.ResourceUsage, kwokcrd.ClusterResourceUsage} {
		if err := c.create(ctx, string(crd)); err != nil {
			return err
		}
	}
	for _, objects := range []string{
		kwoknode.DefaultNodeInit, kwokheartbeat.DefaultNodeHeartbeatWithLease,
		kwokpod.DefaultPodDelete, podStages, metricObjects,
	} {
		if err := c.create(ctx, objects); err != nil {
			return err
		}
	}
	config := filepath.Join(c.Dir, "kwok.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, kwokConfig, c.ports.kwok, c.ports.kwok), 0o600); err != nil {
		return fmt.Errorf("write kwok's configuration: %w", err)
	}
	var err error
	if c.kwok, err = c.startProcess("kwok", exec.Command(c.programs.Kwok, "--config", config, "--kubeconfig", c.kubeconfigFile("kwok"))); err != nil {
		return err
	}
	if err := c.kwok.WaitReady(ctx, getOK(http.DefaultClient, c.kwokURL()+"/healthz")); err != nil {
		return err
	}
	c.NodeNames, err = c.addNodes(ctx, c.opts.Nodes)
	return err
}

func (c *Cluster) kwokURL() string { return fmt.Sprintf("http://127.0.0.1:%d", c.ports.kwok) }

// create creates all objects of a YAML stream. A kind whose definition was
// created a moment ago is waited for.
func (c *Cluster) create(ctx context.Context, objects string) error {
	docs := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(objects), 4096)
	for {
		var obj unstructured.Unstructured
		err := docs.Decode(&obj)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("decode an object: %w", err)
		}
		if len(obj.Object) == 0 { // a document of comments
			continue
		}
		if err := c.createServed(ctx, &obj); err != nil {
			return fmt.Errorf("create %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
}

func (c *Cluster) createServed(ctx context.Context, obj *unstructured.Unstructured) error {
	for {
		err := c.admin.Create(ctx, obj)
		if err == nil || !notServedYet(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// AddNodes makes n more simulated nodes, waits until they are Ready and returns
// their names.
func (c *Cluster) AddNodes(ctx context.Context, n int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return c.addNodes(ctx, n)
}

func (c *Cluster) addNodes(ctx context.Context, n int) ([]string, error) {
	c.mu.Lock()
	first := c.nodes
	c.nodes += n
	c.mu.Unlock()
	var names []string
	for i := first; i < first+n; i++ {
		node := simulatedNode(i, c.capacity)
		if err := c.admin.Create(ctx, node); err != nil {
			return nil, fmt.Errorf("create node %s: %w", node.Name, err)
		}
		names = append(names, node.Name)
	}
	return names, c.kwok.WaitReady(ctx, func(ctx context.Context) error { return c.nodesReady(ctx, names) })
}

func (c *Cluster) nodesReady(ctx context.Context, names []string) error {
	list, err := c.clients.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	ready := map[string]bool{}
	for _, node := range list.Items {
		for _, cond := range node.Status.Conditions {
			// The taint goes a moment after the condition comes.
			if cond.Type == corev1.NodeReady && cond.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0 {
				ready[node.Name] = true
			}
		}
	}
	for _, name := range names {
		if !ready[name] {
			return fmt.Errorf("node %s is not Ready", name)
		}
	}
	return nil
}

func (o Options) nodeCapacity() (corev1.ResourceList, error) {
	capacity := corev1.ResourceList{}
	for name, value := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: o.NodeCPU, corev1.ResourceMemory: o.NodeMemory, corev1.ResourcePods: podsPerNode,
	} {
		q, err := resource.ParseQuantity(value)
		if err != nil {
			return nil, fmt.Errorf("capacity of the simulated nodes, %s %q: %w", name, value, err)
		}
		capacity[name] = q
	}
	return capacity, nil
}

// simulatedNode has its capacity set, because kwok would otherwise give it more
// than any workload could fill.
func simulatedNode(i int, capacity corev1.ResourceList) *corev1.Node {
	name := "node-" + strconv.Itoa(i)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
			Labels: map[string]string{
				"type":                   "kwok",
				corev1.LabelHostname:     name,
				corev1.LabelOSStable:     "linux",
				corev1.LabelArchStable:   "amd64",
				corev1.LabelTopologyZone: "z" + strconv.Itoa(i%3),
			},
		},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity.DeepCopy()},
	}
}
